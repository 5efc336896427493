package rpc

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// maxCredential is the largest file with a credential that is read. A bundle of certificates is the largest of them.
const maxCredential = 1 << 20

// credentials are those that stand in files, which servers write anew when they start: each is read again when it has
// changed.
type credentials struct {
	mu                        sync.Mutex
	cookie, macaroon, trusted watchedFile
}

func newCredentials(config Config) *credentials {
	return &credentials{
		cookie:   watchedFile{key: "cookie_file", path: config.CookieFile},
		macaroon: watchedFile{key: "macaroon_file", path: config.MacaroonFile},
		trusted:  watchedFile{key: "ca_file", path: config.CAFile},
	}
}

// apply sets the headers that hold credentials. It gives the values that are secrets, where one has changed.
func (c *credentials) apply(header http.Header) (changed []Secret, failure *Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, of := range []struct {
		file   *watchedFile
		header func([]byte) (name, value string)
	}{
		{&c.cookie, cookieHeader}, {&c.macaroon, macaroonHeader},
	} {
		if of.file.path == "" {
			continue
		}
		content, news, err := of.file.read()
		if err != nil {
			return nil, &Error{Outcome: OutcomeConnection, Message: err.Error()}
		}
		name, value := of.header(content)
		header.Set(name, value)
		if news {
			changed = append(changed, revealed(value), revealed(strings.TrimSpace(string(content))))
		}
	}
	return changed, nil
}

// refused notes that the server does not accept the credentials: the next request has those that stand in the files then.
func (c *credentials) refused() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cookie.doubtful, c.macaroon.doubtful = true, true
}

// cookieHeader is how Bitcoin Core wants its cookie, which is a name and a password: by basic authentication.
func cookieHeader(content []byte) (name, value string) {
	return "Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(strings.TrimSpace(string(content))))
}

// macaroonHeader is how LND's REST server wants a macaroon: in hexadecimal (CHAINS.md section 6).
func macaroonHeader(content []byte) (name, value string) {
	return "Grpc-Metadata-macaroon", hex.EncodeToString(content)
}

// roots gives the certificates to trust instead of the system's, nil for the system's, and whether they have changed.
func (c *credentials) roots() (pool *x509.CertPool, changed bool, failure *Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trusted.path == "" {
		return nil, false, nil
	}
	content, changed, err := c.trusted.read()
	if err != nil {
		return nil, false, &Error{Outcome: OutcomeConnection, Message: err.Error()}
	}
	if !changed {
		return nil, false, nil
	}
	pool = x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		c.trusted.forget()
		return nil, false, &Error{Outcome: OutcomeConnection, Message: "ca_file holds no certificate in PEM"}
	}
	return pool, true, nil
}

// watchedFile is a file that is read again when it has changed.
type watchedFile struct {
	// key is what the configuration calls it.
	key, path string

	content  []byte
	size     int64
	modified time.Time
	// doubtful tells that the content was refused: the file may have changed within a tick of its clock.
	doubtful bool
}

// read gives the file's content, and whether it is another one than the last time.
func (f *watchedFile) read() (content []byte, changed bool, err error) {
	info, err := os.Stat(f.path)
	if err == nil && info.Size() == f.size && info.ModTime().Equal(f.modified) && f.content != nil && !f.doubtful {
		return f.content, false, nil
	}
	switch {
	case err == nil && info.Size() > maxCredential:
		err = errors.New("it is too large to be a credential")
	case err == nil:
		content, err = os.ReadFile(f.path)
	}
	if err == nil && len(content) == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		f.forget()
		return nil, false, fmt.Errorf("read %s: %w", f.key, withoutPath(err))
	}
	changed = f.content == nil || !bytes.Equal(content, f.content)
	f.content, f.size, f.modified, f.doubtful = content, info.Size(), info.ModTime(), false
	return content, changed, nil
}

func (f *watchedFile) forget() { f.content = nil }

// withoutPath is an error of the file system without the path, which the configuration tells.
func withoutPath(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}
