package config

import (
	"fmt"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/layerwatch/layerwatch/chains"
)

// validName is what networks and endpoints can be called: it becomes a label and, of networks, a file's name.
var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,62}$`)

const nameRule = "must be lower-case letters, digits, dots, dashes and underscores, 63 at most"

// named reads the name of a network.
func (p *parser) named(path string, node *yaml.Node, n *chains.Network) {
	if node == nil {
		return // Reported as missing.
	}
	name, ok := p.text(path+".name", node)
	if ok && !validName.MatchString(name) {
		p.report(path+".name", node, "%s", nameRule)
	}
	if !p.wrong(path + ".name") {
		n.Name = name
	}
}

// checkNames reports networks of one name.
func (p *parser) checkNames() {
	seen := make(map[string]int)
	for i, n := range p.networks {
		if first, ok := seen[n.Name]; ok && n.Name != "" {
			p.report(fmt.Sprintf("networks[%d].name", i), p.names[i], "networks[%d] is called %q already", first, n.Name)
			continue
		}
		seen[n.Name] = i
	}
}

// checkParents reports parents that are not there. A parent from the catalogue need not be watched: what is read
// through it is then not known, which is no mistake.
func (p *parser) checkParents() {
	for i, n := range p.networks {
		node, own := p.ownParents[i]
		if !own {
			continue
		}
		path := fmt.Sprintf("networks[%d].parent", i)
		parent := slices.IndexFunc(p.networks, func(other chains.Network) bool { return other.Name == n.Parent })
		switch {
		case n.Parent == "":
		case parent < 0:
			p.report(path, node, "there is no network %s in this file", quote(n.Parent))
		case n.Parent == n.Name:
			p.report(path, node, "a network can't settle on itself")
		case p.networks[parent].Layer != 1:
			p.report(path, node, "%q is not a network of layer 1", n.Parent)
		}
	}
}
