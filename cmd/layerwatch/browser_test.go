package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// browser is a tab of a real Chromium, which is told what to do by the DevTools protocol.
type browser struct {
	t      *testing.T
	socket *websocket.Conn

	mu      sync.Mutex
	calls   int
	answers map[int]chan json.RawMessage
	errors  []string
}

// chromium starts a Chromium with an empty tab.
func chromium(t *testing.T) *browser {
	t.Helper()
	path := program(t, "chromium", "apt-get install chromium")
	log, profile := &buffer{}, t.TempDir()
	command := exec.Command(path, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--disable-background-networking", "--remote-debugging-port=0", "--user-data-dir="+profile, "about:blank")
	command.Stderr = log
	command.WaitDelay = 5 * time.Second // Its children hold its standard error.
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	var address string
	eventually(t, 60*time.Second, func() error {
		found := regexp.MustCompile(`DevTools listening on ws://([^/]+)/`).FindStringSubmatch(log.String())
		if found == nil {
			return fmt.Errorf("chromium does not start:\n%s", tail(log.String(), 20))
		}
		address = found[1]
		return nil
	})
	b := &browser{t: t, answers: make(map[int]chan json.RawMessage)}
	socket, _, err := websocket.Dial(t.Context(), tab(t, address), nil)
	if err != nil {
		t.Fatal(err)
	}
	socket.SetReadLimit(64 << 20)
	b.socket = socket
	t.Cleanup(func() {
		b.call("Browser.close", nil, nil) // So that its processes end, and its folder can be removed.
		socket.CloseNow()
	})
	go b.listen()
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

// tab gives the address of the browser's tab.
func tab(t *testing.T, address string) (url string) {
	t.Helper()
	eventually(t, 20*time.Second, func() error {
		response, err := http.Get("http://" + address + "/json/list")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		var targets []struct{ Type, WebSocketDebuggerURL string }
		if err := json.NewDecoder(response.Body).Decode(&targets); err != nil {
			return err
		}
		for _, target := range targets {
			if target.Type == "page" {
				url = target.WebSocketDebuggerURL
				return nil
			}
		}
		return fmt.Errorf("no tab among %d", len(targets))
	})
	return url
}

// listen takes what the tab says: answers, and errors on its console.
func (b *browser) listen() {
	for {
		_, data, err := b.socket.Read(context.Background())
		if err != nil {
			return
		}
		var message struct {
			ID             int
			Method         string
			Params, Result json.RawMessage
		}
		_ = json.Unmarshal(data, &message)
		b.mu.Lock()
		switch message.Method {
		case "":
			if answer, ok := b.answers[message.ID]; ok {
				answer <- message.Result
				delete(b.answers, message.ID)
			}
		case "Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Network.loadingFailed":
			b.errors = append(b.errors, message.Method+" "+string(message.Params))
		}
		b.mu.Unlock()
	}
}

// call has the tab do something.
func (b *browser) call(method string, parameters, result any) {
	b.t.Helper()
	answer := make(chan json.RawMessage, 1)
	b.mu.Lock()
	b.calls++
	id := b.calls
	b.answers[id] = answer
	b.mu.Unlock()
	body, err := json.Marshal(map[string]any{"id": id, "method": method, "params": parameters})
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.socket.Write(context.Background(), websocket.MessageText, body); err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	select {
	case data := <-answer:
		if result == nil {
			return
		}
		if err := json.Unmarshal(data, result); err != nil {
			b.t.Fatalf("%s: %v: %s", method, err, data)
		}
	case <-time.After(30 * time.Second):
		b.t.Fatalf("%s: no answer", method)
	}
}

// open opens a page and waits until it is there.
func (b *browser) open(url string) {
	b.t.Helper()
	var opened struct{ ErrorText string }
	b.call("Page.navigate", map[string]string{"url": url}, &opened)
	if opened.ErrorText != "" {
		b.t.Fatalf("open the page: %s", opened.ErrorText)
	}
	eventually(b.t, 20*time.Second, func() error {
		if state := b.text(`document.readyState + " " + location.protocol`); state != "complete http:" {
			return fmt.Errorf("the page is %s", state)
		}
		return nil
	})
}

// value evaluates an expression on the page.
func (b *browser) value(expression string, into any) {
	b.t.Helper()
	var answer struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &answer)
	if answer.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", expression, answer.ExceptionDetails)
	}
	if err := json.Unmarshal(answer.Result.Value, into); err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
}

// text evaluates an expression whose value is a text, and gives it with single spaces.
func (b *browser) text(expression string) (text string) {
	b.t.Helper()
	b.value(expression, &text)
	return strings.Join(strings.Fields(text), " ")
}

// screen gives the tab a size and a colour scheme.
func (b *browser) screen(width, height int, scheme string) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{
		"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
	}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{
		"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}},
	}, nil)
}

// complaints are the errors that there were since the tab was opened.
func (b *browser) complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.errors...)
}
