package config_test

// onEndpoint is an endpoint whose further keys are still to be written, from line 5 on.
const onEndpoint = onEthereum + "      - url: https://a.example\n"

const (
	endpointPath = "networks[0].endpoints[0]."
	lineBreak    = "has a line break or another control character in it"
)

// headerProblems are of headers that are given by their names.
func headerProblems() []problemCase {
	const (
		headers = endpointPath + "headers"
		files   = endpointPath + "header_files"
		noName  = "is not the name of a header, such as X-API-Key"
		own     = "is up to layerwatch: leave it out"
	)
	cases := []problemCase{
		{"headers without a value", onEndpoint + "        headers:\n", []string{headers + ": must be keys with values (line 5)"}},
		{"headers in a list", onEndpoint + "        headers: ['X-API-Key: a']\n", []string{headers + ": must be keys with values (line 5)"}},
		{"header without a value", onEndpoint + "        headers:\n          X-API-Key:\n", []string{headers + ".X-API-Key: is empty (line 6)"}},
		{"header list", onEndpoint + "        headers:\n          X-API-Key: [a]\n", []string{headers + ".X-API-Key: must be a single value (line 6)"}},
		{"header from an unset variable", onEndpoint + "        headers:\n          X-API-Key: a ${KEY}\n", []string{
			headers + ".X-API-Key: the environment variable KEY is not set (line 6)",
		}},
		{"header with a line break", onEndpoint + "        headers:\n          X-API-Key: \"a\\r\\nb: c\"\n", []string{
			headers + ".X-API-Key: " + lineBreak + " (line 6)",
		}},
		{"header with a tab", onEndpoint + "        headers:\n          X-API-Key: \"a\\tb\"\n", []string{
			headers + ".X-API-Key: " + lineBreak + " (line 6)",
		}},
		{"header from a file of two lines", onEndpoint + "        header_files:\n          X-API-Key: lines\n", []string{
			files + ".X-API-Key: " + lineBreak + " (line 6)",
		}},
		{"header from a missing file", onEndpoint + "        header_files:\n          X-API-Key: missing\n", []string{
			files + ".X-API-Key: can't be read: no such file or directory (line 6)",
		}},
		{"header from an empty file", onEndpoint + "        header_files:\n          X-API-Key: empty\n", []string{
			files + ".X-API-Key: the file is empty (line 6)",
		}},
		{"header twice", onEndpoint + "        headers:\n          X-API-Key: a\n          X-API-Key: b\n", []string{
			headers + ".X-API-Key: is given twice (line 7)",
		}},
		{"header twice in other letters", onEndpoint + "        headers:\n          X-API-Key: a\n          x-api-key: b\n", []string{
			headers + ".x-api-key: is given twice (line 7)",
		}},
		{"header and file", onEndpoint + "        headers: {X-API-Key: a}\n        header_files: {x-api-key: secret}\n", []string{
			files + ".x-api-key: is given twice (line 6)",
		}},
		// What stands in the place of a name could be a key.
		{"header's name with a space", onEndpoint + "        headers: {'X-API-Key ': a}\n", []string{headers + ".…: " + noName + " (line 5)"}},
		{"header's name with a colon", onEndpoint + "        headers: {'X-API-Key:': a}\n", []string{headers + ".…: " + noName + " (line 5)"}},
		{"header's name with an umlaut", onEndpoint + "        headers: {Schlüssel: a}\n", []string{headers + ".…: " + noName + " (line 5)"}},
		{"header's name empty", onEndpoint + "        headers: {'': a}\n", []string{headers + ".…: " + noName + " (line 5)"}},
		{"header's name a mapping", onEndpoint + "        headers:\n          ? {a: b}\n          : c\n", []string{
			headers + ".…: must be a single value (line 6)",
		}},
		{"header's name an alias", onEndpoint + "        headers:\n          A: &b c\n          *b : c\n", []string{
			headers + ".b: is a YAML alias, which can't be used here: write out what it stands for (line 7)",
		}},
		{"merged headers", onEndpoint + "        headers:\n          <<: {X-API-Key: a}\n", []string{headers + ".…: " + noName + " (line 6)"}},
	}
	for _, name := range []string{
		"Host", "content-type", "Content-Length", "Content-Encoding", "Accept", "Accept-Encoding", "Connection", "TRANSFER-ENCODING", "Upgrade",
		"Sec-WebSocket-Key", "sec-websocket-protocol",
	} {
		cases = append(cases, problemCase{name, onEndpoint + "        headers: {" + name + ": a}\n", []string{headers + "." + name + ": " + own + " (line 5)"}})
	}
	return cases
}

// credentialProblems are of tokens and passwords.
func credentialProblems() []problemCase {
	const (
		bearer = "        bearer_token: a\n"
		basic  = "        basic_auth: {username: a, password: b}\n"
		header = "        headers: {authorization: a}\n"
		at     = endpointPath + "basic_auth"
		user   = "      - url: https://a:b@a.example\n"
	)
	already := func(key, first, line string) []string {
		return []string{endpointPath + key + ": there are credentials in " + first + " already: give one of them (line " + line + ")"}
	}
	inURL := func(key, other, line string) []string {
		return []string{endpointPath + key + ": has credentials in it, and there are others in " + other + ": give one of them (line " + line + ")"}
	}
	return []problemCase{
		{"bearer and file", onEndpoint + bearer + "        bearer_token_file: secret\n", already("bearer_token_file", "bearer_token", "6")},
		{"bearer and basic", onEndpoint + bearer + basic, already("basic_auth", "bearer_token", "6")},
		{"basic and bearer", onEndpoint + basic + bearer, already("bearer_token", "basic_auth", "6")},
		{"header and bearer", onEndpoint + header + bearer, already("bearer_token", "headers.authorization", "6")},
		{"basic and header", onEndpoint + basic + header, already("headers.authorization", "basic_auth", "6")},
		{"bearer and header file", onEndpoint + bearer + "        header_files: {Authorization: secret}\n", already("header_files.Authorization", "bearer_token", "6")},
		{"three of them", onEndpoint + bearer + basic + header, append(
			already("basic_auth", "bearer_token", "6"), already("headers.authorization", "bearer_token", "7")...)},
		{"user and bearer", onEthereum + user + bearer, inURL("url", "bearer_token", "4")},
		{"basic and user", onEthereum + "      - basic_auth: {username: a, password: b}\n        url: https://a@a.example\n", inURL("url", "basic_auth", "5")},
		{"user and header", onEthereum + user + header, inURL("url", "headers.authorization", "4")},
		{"user of a websocket and bearer", onEthereum + "      - url: wss://a:b@a.example\n" + bearer, inURL("url", "bearer_token", "4")},
		{"user of ws_url and bearer", onEndpoint + bearer + "        ws_url: wss://a:b@a.example\n", inURL("ws_url", "bearer_token", "6")},
		{"user of a file and bearer", onEthereum + "      - url_file: user\n" + bearer, inURL("url_file", "bearer_token", "4")},
		{"cookie and bearer", onEndpoint + "        cookie_file: .cookie\n" + bearer, already("bearer_token", "cookie_file", "6")},
		{"cookie and user", onEthereum + user + "        cookie_file: .cookie\n", inURL("url", "cookie_file", "4")},
		{"cookie list", onEndpoint + "        cookie_file: [a]\n", []string{endpointPath + "cookie_file: must be a single value (line 5)"}},
		{"macaroon and header", onEndpoint + "        macaroon_file: a\n        headers: {grpc-metadata-macaroon: a}\n", []string{
			endpointPath + "headers.grpc-metadata-macaroon: is given twice (line 6)",
		}},
		{"files for a websocket", onEthereum + "      - url: wss://a.example\n        cookie_file: a\n        macaroon_file: b\n        ca_file: c\n", []string{
			endpointPath + "cookie_file: is not used with a WebSocket: give the http:// or https:// address as url (line 5)",
			endpointPath + "macaroon_file: is not used with a WebSocket: give the http:// or https:// address as url (line 6)",
			endpointPath + "ca_file: is not used with a WebSocket: give the http:// or https:// address as url (line 7)",
		}},
		{"bearer without a value", onEndpoint + "        bearer_token:\n", []string{endpointPath + "bearer_token: is empty (line 5)"}},
		{"bearer list", onEndpoint + "        bearer_token: [a]\n", []string{endpointPath + "bearer_token: must be a single value (line 5)"}},
		{"bearer with its scheme", onEndpoint + "        bearer_token: Bearer a\n", []string{
			endpointPath + "bearer_token: has a space in it: give the token alone (line 5)",
		}},
		{"bearer from a file of two lines", onEndpoint + "        bearer_token_file: lines\n", []string{endpointPath + "bearer_token_file: " + lineBreak + " (line 5)"}},
		{"bearer from a missing file", onEndpoint + "        bearer_token_file: missing\n", []string{
			endpointPath + "bearer_token_file: can't be read: no such file or directory (line 5)",
		}},
		{"basic as text", onEndpoint + "        basic_auth: a:b\n", []string{at + ": must be keys with values (line 5)"}},
		{"basic with another key", onEndpoint + "        basic_auth: {user: a, username: a, password: b}\n", []string{
			at + ".user: is not known here; known are: username, password, password_file (line 5)",
		}},
		{"basic empty", onEndpoint + "        basic_auth: {}\n", []string{
			at + ".username: is missing (line 5)",
			at + ".password: is missing: give password or password_file (line 5)",
		}},
		{"basic with a colon", onEndpoint + "        basic_auth:\n          username: a:b\n          password: c\n", []string{
			at + ".username: has a colon in it, at which servers take the password to begin (line 6)",
		}},
		{"basic with both", onEndpoint + "        basic_auth:\n          username: a\n          password: b\n          password_file: secret\n", []string{
			at + ".password_file: there is a password already: give one of them (line 8)",
		}},
		{"basic with a line break", onEndpoint + "        basic_auth:\n          username: \"a\\nb\"\n          password_file: lines\n", []string{
			at + ".username: " + lineBreak + " (line 6)",
			at + ".password_file: " + lineBreak + " (line 7)",
		}},
		{"basic from an unset variable", onEndpoint + "        basic_auth:\n          username: a\n          password: ${PASSWORD}\n", []string{
			at + ".password: the environment variable PASSWORD is not set (line 7)",
		}},
	}
}
