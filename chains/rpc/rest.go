package rpc

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/segmentio/encoding/json"
)

// Request is one request to a REST server, and what became of it.
type Request struct {
	// Name is how the request is accounted for: its path without what varies.
	Name string
	// Method is that of HTTP; empty is GET.
	Method string
	// Path is appended to the endpoint's URL, with its query.
	Path string
	// Body is sent as JSON; nil is none.
	Body any
	// Small tells that the answer is none of the unusual size: from whoever sends such a one, nothing is read.
	Small bool
	// Result points to where the answer goes: to a string as the text that it is, to anything else as JSON.
	Result any
	// Check, where there is one, judges whether Result can be true. It returns a BadResponse if not.
	Check func() error
	// ETag says which answer is known already, if any; after the request, which one that is.
	ETag string
	// NotModified tells that the answer is still the one that is known: Result was not touched.
	NotModified bool
}

// Fetch makes a request to a REST server, within the same limits and with the same accounting as Do.
func (c *Client) Fetch(ctx context.Context, r *Request) error {
	call := &Call{Method: r.Name, Result: r.Result, Check: r.Check}
	_, err := c.perform(ctx, []*Call{call}, func(ctx context.Context) replies { return c.fetch(ctx, r, call) })
	return cmp.Or(err, call.Err)
}

// fetch sends the request, and gives its answer as the reply to the call that stands for it.
func (c *Client) fetch(ctx context.Context, r *Request, call *Call) replies {
	failed := func(failure *Error) replies { return replies{whole: failure, release: func() {}} }
	if c.poster == nil {
		return failed(&Error{Outcome: OutcomeConnection, Message: "a REST server is asked by http:// or https://"})
	}
	request, err := c.newRequest(ctx, r)
	if err != nil {
		return failed(badAnswer("the request can't be encoded"))
	}
	most := maxAnswer
	if r.Small {
		most = usualAnswer
	}
	a, failure := c.poster.send(request, most)
	answer := replies{received: a.received, whole: failure, release: a.release()}
	switch {
	case failure != nil:
	case a.status == http.StatusNotModified && r.ETag != "":
		r.NotModified = true
		call.Result, call.Check = new(json.RawMessage), nil
		answer.replies = []reply{{result: []byte("null")}}
	case a.status < 200 || a.status > 299:
		answer.replies = []reply{{failure: c.restFailure(a)}}
	case tooDeep(a.body):
		answer.replies = []reply{{failure: badAnswer(describeDecoding(errTooDeep))}}
	default:
		r.ETag, r.NotModified = a.etag, false
		answer.replies = []reply{{result: textOrJSON(a.body, r.Result)}}
	}
	return answer
}

func (c *Client) newRequest(ctx context.Context, r *Request) (*http.Request, error) {
	var body bytes.Buffer
	if r.Body != nil {
		if err := json.NewEncoder(&body).Encode(r.Body); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, r.Method, c.poster.url, &body)
	if err != nil {
		return nil, err
	}
	if err := extend(request.URL, r.Path); err != nil {
		return nil, err
	}
	if r.Body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if r.ETag != "" {
		request.Header.Set("If-None-Match", r.ETag)
	}
	return request, nil
}

// extend appends a path and its query to an endpoint's URL, whose own query can hold a key.
func extend(u *url.URL, path string) error {
	path, query, _ := strings.Cut(path, "?")
	escaped := strings.TrimSuffix(u.EscapedPath(), "/") + path
	plain, err := url.PathUnescape(escaped)
	if err != nil {
		return err
	}
	u.Path, u.RawPath = plain, escaped
	if u.RawQuery != "" && query != "" {
		query = "&" + query
	}
	u.RawQuery += query
	return nil
}

// textOrJSON gives an answer as JSON: a text is quoted where a string is wanted.
func textOrJSON(body []byte, result any) json.RawMessage {
	if _, ok := result.(*string); !ok {
		return body
	}
	quoted, _ := json.Marshal(string(bytes.TrimSpace(body))) // A string can't fail.
	return quoted
}

// restFailure judges an answer with another HTTP status than 2xx. Some servers put an object with a code and a message into
// it (LND, clnrest), some a line of text (Esplora).
func (c *Client) restFailure(a arrival) *Error {
	e := c.httpFailure(a.status, nil)
	e.RetryAfter = a.retryAfter
	var object struct {
		Code    *int
		Message string
	}
	words := strings.TrimSpace(string(a.body))
	if decode(a.body, &object) == nil && object.Code != nil {
		e.Code, words = *object.Code, object.Message
		if e.Outcome == OutcomeHTTPError {
			e.Outcome = OutcomeRPCError
		}
		e.Message = fmt.Sprintf("%s: error %d", e.Message, e.Code)
	}
	if words != "" && utf8.ValidString(words) && !strings.HasPrefix(words, "<") { // Of a page, the status says enough.
		e.Message = fmt.Sprintf("%s: %s", e.Message, c.Scrub(words))
	}
	return e
}
