package deploy

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// TestProgramOfTheImage builds the program as the Dockerfile does, of nothing but what .dockerignore lets through, in two
// places: it must need no library, and be the same byte for byte.
func TestProgramOfTheImage(t *testing.T) {
	t.Parallel()
	if testing.Short() || runtime.GOOS != "linux" {
		t.Skip("this builds the program twice, on Linux")
	}
	build := regexp.MustCompile(`(?s)CGO_ENABLED=0.*?\./cmd/layerwatch`).FindString(read(t, "../Dockerfile"))
	if build == "" {
		t.Fatal("the Dockerfile does not build the program")
	}
	places := [2]string{t.TempDir(), t.TempDir()}
	for line := range strings.Lines(read(t, "../.dockerignore")) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "!"); ok {
			copyAll(t, filepath.Join("..", name), filepath.Join(places[0], name))
		}
	}
	copyAll(t, places[0], places[1])
	var built [2][]byte
	var path string
	for i, folder := range places {
		path = filepath.Join(folder, "layerwatch")
		command := exec.Command("sh", "-c", strings.Replace(build, "-o /layerwatch ", "-o "+path+" ", 1))
		command.Dir = folder
		command.Env = append(os.Environ(), "TARGETOS=linux", "TARGETARCH="+runtime.GOARCH, "VERSION=1.2.3", "REVISION=abc")
		if i > 0 { // In another place, at another time, for another user.
			command.Env = append(command.Env, "USER=somebody", "SOURCE_DATE_EPOCH=1")
		}
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", build, err, out)
		}
		built[i] = []byte(read(t, path))
	}
	if !bytes.Equal(built[0], built[1]) {
		t.Error("the same sources gave two programs")
	}
	if out := check(t, path, "--version"); !strings.Contains(out, "version 1.2.3 ") || !strings.Contains(out, "abc") {
		t.Errorf("the program says that it is %s", out)
	}
	program, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	if libraries, err := program.ImportedLibraries(); err == nil && len(libraries) > 0 {
		t.Errorf("the program needs %v", libraries)
	}
	for _, p := range program.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the program needs a loader, which is not in the image")
		}
	}
}

// copyAll copies a file or a folder, without tests and what they read.
func copyAll(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, inside)
		switch {
		case entry.IsDir() && entry.Name() == "testdata":
			return filepath.SkipDir
		case entry.IsDir():
			return os.MkdirAll(target, 0o755)
		case strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, text, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}
