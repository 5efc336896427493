package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// decoder reads values out of YAML nodes and collects what is wrong with them. It never repeats a value that may be a
// secret.
type decoder struct {
	environment func(string) (string, bool)
	folder      string
	problems    []string
	// failed are the paths at which there is a problem.
	failed []string
}

// reader reads a value: one that stands there, or in a file that is named there.
type reader func(path string, node *yaml.Node) (string, bool)

// fields are the keys of a mapping and how each is read.
type fields []struct {
	key  string
	read func(path string, node *yaml.Node)
}

func (d *decoder) report(path string, node *yaml.Node, format string, args ...any) {
	problem := fmt.Sprintf(format, args...)
	if path != "" {
		problem = path + ": " + problem
	}
	if node != nil && node.Line > 0 {
		problem += fmt.Sprintf(" (line %d)", node.Line)
	}
	d.problems = append(d.problems, problem)
	d.failed = append(d.failed, path)
}

// wrong tells whether there is a problem at a path or below.
func (d *decoder) wrong(path string) bool {
	return slices.ContainsFunc(d.failed, func(at string) bool {
		return at == path || strings.HasPrefix(at, path+".") || strings.HasPrefix(at, path+"[")
	})
}

func join(path, key string) string { return strings.TrimPrefix(path+"."+key, ".") }

// given gives the values of a mapping by key.
func (d *decoder) given(node *yaml.Node) map[string]*yaml.Node {
	values := make(map[string]*yaml.Node)
	if node.Kind != yaml.MappingNode {
		return values
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		values[node.Content[i].Value] = node.Content[i+1]
	}
	return values
}

// mapping reads a mapping: every key must be known and stand there once, those required must be there.
func (d *decoder) mapping(path string, node *yaml.Node, known fields, required ...string) {
	if !d.is(yaml.MappingNode, path, node, "must be keys with values") {
		return
	}
	seen := make(map[string]bool)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		at := slices.IndexFunc(known, func(f struct {
			key  string
			read func(string, *yaml.Node)
		},
		) bool {
			return f.key == key.Value
		})
		switch {
		case at < 0:
			d.report(join(path, clip(key.Value)), key, "is not known here; known are: %s", known.keys())
		case seen[key.Value]:
			d.report(join(path, key.Value), key, "is given twice")
		default:
			seen[key.Value] = true
			known[at].read(join(path, key.Value), value)
		}
	}
	for _, key := range required {
		if !seen[key] {
			d.report(join(path, key), node, "is missing")
		}
	}
}

// each reads a mapping whose keys are not known beforehand, and tells what stands at each.
func (d *decoder) each(path string, node *yaml.Node, read func(path string, key, value *yaml.Node)) {
	if !d.is(yaml.MappingNode, path, node, "must be keys with values") {
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		at := join(path, clip(key.Value))
		if d.is(yaml.ScalarNode, at, key, "must be a single value") {
			read(at, key, value)
		}
	}
}

// notBoth reports a value that is given itself and by the name of a file.
func (d *decoder) notBoth(path string, given map[string]*yaml.Node, key string) {
	if file := given[key+"_file"]; file != nil && given[key] != nil {
		d.report(join(path, key+"_file"), file, "there is a %s already: give one of them", key)
	}
}

// oneOf reports a value that is needed and missing, or given twice as above.
func (d *decoder) oneOf(path string, node *yaml.Node, given map[string]*yaml.Node, key string) {
	if node.Kind == yaml.MappingNode && given[key] == nil && given[key+"_file"] == nil {
		d.report(join(path, key), node, "is missing: give %s or %s_file", key, key)
	}
	d.notBoth(path, given, key)
}

// is tells whether a node is of a kind, and reports it if not.
func (d *decoder) is(kind yaml.Kind, path string, node *yaml.Node, problem string) bool {
	if node.Kind == yaml.AliasNode {
		problem = "is a YAML alias, which can't be used here: write out what it stands for"
	}
	if node.Kind != kind {
		d.report(path, node, "%s", problem)
	}
	return node.Kind == kind
}

func (f fields) keys() string {
	keys := make([]string, len(f))
	for i := range f {
		keys[i] = f[i].key
	}
	return strings.Join(keys, ", ")
}

// Keys are shorter than the keys of providers, and have no digits.
var (
	plain         = regexp.MustCompile(`^[A-Za-z_-]{1,24}$`)
	plainVariable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)
	plainValue    = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,24}$`)
)

// quote gives a value in quotes if it can't be a secret.
func quote(value string) string {
	if plainValue.MatchString(value) {
		return strconv.Quote(value)
	}
	return "…"
}

// clip gives a key or a variable's name if it looks like one: anything else could be a secret in the wrong place.
func clip(name string) string {
	if plain.MatchString(name) {
		return name
	}
	return "…"
}

func (d *decoder) sequence(path string, node *yaml.Node, read func(path string, node *yaml.Node)) {
	if !d.is(yaml.SequenceNode, path, node, "must be a list") {
		return
	}
	for i, item := range node.Content {
		read(fmt.Sprintf("%s[%d]", path, i), item)
	}
}

var variable = regexp.MustCompile(`\$\{([^}]*)\}`)

// text reads a single value and puts in the environment variables that it names.
func (d *decoder) text(path string, node *yaml.Node) (string, bool) {
	if !d.is(yaml.ScalarNode, path, node, "must be a single value") {
		return "", false
	}
	if node.Tag == "!!null" {
		d.report(path, node, "is empty")
		return "", false
	}
	ok := true
	text := variable.ReplaceAllStringFunc(node.Value, func(reference string) string {
		name := strings.TrimSuffix(strings.TrimPrefix(reference, "${"), "}")
		value, set := d.environment(name)
		if !set {
			ok = false
			if !plainVariable.MatchString(name) {
				d.report(path, node, "has ${…} with something else than the name of an environment variable in it; defaults can't be given")
				return ""
			}
			d.report(path, node, "the environment variable %s is not set", name)
		}
		return value
	})
	if ok && strings.TrimSpace(text) == "" {
		d.report(path, node, "is empty")
		ok = false
	}
	return strings.TrimSpace(text), ok
}

// file reads a value from the file that is named.
func (d *decoder) file(path string, node *yaml.Node) (string, bool) {
	name, ok := d.text(path, node)
	if !ok {
		return "", false
	}
	data, err := os.ReadFile(d.inFolder(name))
	if err != nil {
		var at *fs.PathError
		if errors.As(err, &at) {
			err = at.Err // Without the path: it could be a URL.
		}
		d.report(path, node, "can't be read: %v", err)
		return "", false
	}
	text := strings.TrimSpace(string(data))
	if text == "" {
		d.report(path, node, "the file is empty")
	}
	return text, text != ""
}

// inFolder gives the path of a file that is named relatively to the configuration's folder, or absolutely.
func (d *decoder) inFolder(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(d.folder, name)
}

func (d *decoder) duration(into *time.Duration) func(path string, node *yaml.Node) {
	return func(path string, node *yaml.Node) {
		text, ok := d.text(path, node)
		if !ok {
			return
		}
		value, err := time.ParseDuration(text)
		switch {
		case err != nil:
			d.report(path, node, "must be a duration such as 500ms, 12s or 1h")
		case value < time.Millisecond:
			d.report(path, node, "must be at least 1ms")
		default:
			*into = value
		}
	}
}

func (d *decoder) integer(path string, node *yaml.Node) (int, bool) {
	text, ok := d.text(path, node)
	if !ok {
		return 0, false
	}
	value, err := strconv.Atoi(text)
	if err != nil {
		d.report(path, node, "must be a whole number")
		return 0, false
	}
	return value, true
}

func (d *decoder) number(path string, node *yaml.Node) float64 {
	text, ok := d.text(path, node)
	if !ok {
		return 0
	}
	value, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || !(value > 0):
		d.report(path, node, "must be a number greater than 0")
		return 0
	case value > 1e6:
		d.report(path, node, "must be at most 1000000")
		return 0
	}
	return value
}

func (d *decoder) boolean(path string, node *yaml.Node) bool {
	text, ok := d.text(path, node)
	if ok && text != "true" && text != "false" {
		d.report(path, node, "must be true or false")
	}
	return text == "true"
}

// sampled reads how much of the blocks is read.
func (d *decoder) sampled(path string, node *yaml.Node) bool {
	text, ok := d.text(path, node)
	if ok && text != "all" && text != "sampled" {
		d.report(path, node, "must be all or sampled")
	}
	return text == "sampled"
}
