package evmtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestOnTheWire looks at the bytes where clients see the same outcome of different faults, or none at all.
func TestOnTheWire(t *testing.T) {
	for _, test := range []struct {
		fault string
		calls []asked
		want  string // Of what arrives: a regular expression.
		ends  error  // Nil: it does not end.
	}{
		{"reset", []asked{"eth_chainId"}, `^$`, syscall.ECONNRESET},
		{"hang-up in mid-answer", []asked{"eth_chainId"}, `^HTTP/1.1 200 OK\r\n(?s:.*)Content-Length: 41\r\n\r\n\{"jsonrpc":"2.0","id$`, io.EOF},
		{"hang", []asked{"eth_chainId"}, `^$`, nil},
		{"slow headers", []asked{"eth_chainId"}, `^HTTP/1.1 200 OK\r\nX-Slow: a{1,30}$`, nil},
		{"slow body", []asked{"eth_chainId"}, `^HTTP/1.1 200 OK\r\n(?s:.*)\r\n\r\n(1\r\n \r\n){1,30}$`, nil},
		{"empty body", []asked{"eth_chainId"}, `^HTTP/1.1 200 OK\r\n(?s:.*)Content-Length: 0\r\n(?s:.*)\r\n\r\n$`, io.EOF},
		{"error null with a result", []asked{"eth_chainId"}, `\{"jsonrpc":"2.0","id":1,"result":"0x539","error":null\}$`, io.EOF},
		{"error without code", []asked{"eth_chainId"}, `"id":1,"error":\{"message":"it broke"\}\}$`, io.EOF},
		{"error without message", []asked{"eth_chainId"}, `"id":1,"error":\{"code":-32603\}\}$`, io.EOF},
		{"error as a string", []asked{"eth_chainId"}, `"id":1,"error":"it broke"\}$`, io.EOF},
		{"result a negative number", []asked{"eth_chainId"}, `"result":-1\}$`, io.EOF},
		{"block number an overflowing quantity", []asked{"eth_getBlockByNumber latest"}, `"difficulty":"0x0","number":"0x10{200}","gasLimit"`, io.EOF},
		{"block without timestamp", []asked{"eth_getBlockByNumber latest"}, `"gasUsed":"0x[0-9a-f]+","extraData"`, io.EOF},
		{"block without parentHash", []asked{"eth_getBlockByNumber latest"}, `"result":\{"sha3Uncles"`, io.EOF},
		{"batch with items twice", []asked{"eth_chainId", "eth_blockNumber"}, `\[(\{"jsonrpc":"2.0","id":1,"result":"0x539"\},\{"jsonrpc":"2.0","id":2,"result":"0x14"\},?){2}\]$`, io.EOF},
		{"batch answered by one object", []asked{"eth_chainId", "eth_blockNumber"}, `\r\n\{"jsonrpc":"2.0","id":1,"result":"0x539"\}$`, io.EOF},
		{"rate limit of code 429 for an item", []asked{"eth_chainId", "eth_blockNumber"}, `"result":"0x539"\},\{"jsonrpc":"2.0","id":2,"error":\{"code":429,`, io.EOF},
		{"http 402 with code -33000", []asked{"eth_chainId"}, `^HTTP/1.1 402 (?s:.*)"id":null,"error":\{"code":-33000,`, io.EOF},
		{"http 413 with an rpc error", []asked{"eth_chainId"}, `^HTTP/1.1 413 (?s:.*)"error":\{"code":-32614,`, io.EOF},
	} {
		t.Run(test.fault, func(t *testing.T) {
			t.Parallel()
			_, n := newTestNode(t)
			n.Break(Named(test.fault))
			patience := generous
			if test.ends == nil {
				patience = 2 * brief
			}
			got, err := exchangeRaw(t, n, patience, test.calls)
			if !regexp.MustCompile(test.want).Match(got) {
				t.Errorf("it sends %q", got)
			}
			if !errors.Is(err, test.ends) {
				t.Errorf("it ends with %v, want %v", err, test.ends)
			}
		})
	}
}

// exchangeRaw sends a request and gives what arrives within a while, and how it ended, if it did.
func exchangeRaw(t *testing.T, n *Node, patience time.Duration, calls []asked) ([]byte, error) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(n.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := message(calls)
	fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: node\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	conn.SetReadDeadline(time.Now().Add(patience))
	var got bytes.Buffer
	_, err = got.ReadFrom(conn)
	switch {
	case err == nil:
		err = io.EOF
	case errors.Is(err, syscall.ECONNRESET):
	default:
		err = nil // Nothing more came.
	}
	return got.Bytes(), err
}
