// Package validate has the programs' own code read what is there to run layerwatch with, strictly: that of Compose, BuildKit,
// Kustomize, Kubernetes and the Prometheus operator. It is a module of its own, so that their dependencies are not the program's.
package validate

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// root is the repository.
const root = "../.."

// TestCompose loads the compose files as Compose does.
func TestCompose(t *testing.T) {
	t.Parallel()
	for _, files := range [][]string{
		{"compose.yaml"}, {"compose.yaml", "deploy/compose.config.yaml"}, {"compose.yaml", "deploy/compose.alertmanager.yaml"},
	} {
		paths := make([]string, len(files))
		for i, file := range files {
			paths[i] = filepath.Join(root, file)
		}
		options, err := cli.NewProjectOptions(paths, cli.WithWorkingDirectory(root), cli.WithDotEnv)
		if err != nil {
			t.Fatal(err)
		}
		project, err := options.LoadProject(t.Context())
		if err != nil {
			t.Fatalf("%v: %v", files, err)
		}
		if len(project.Services) != 4 {
			t.Errorf("%v: %d services", files, len(project.Services))
		}
		for name, service := range project.Services {
			checkMounts(t, name, service)
		}
	}
}

// checkMounts looks for what is mounted: where it is absent, Docker makes an empty folder in its place.
func checkMounts(t *testing.T, name string, service types.ServiceConfig) {
	t.Helper()
	for _, volume := range service.Volumes {
		if volume.Type != types.VolumeTypeBind {
			continue
		}
		if _, err := os.Stat(volume.Source); err != nil {
			t.Errorf("service %s mounts what is not there: %v", name, err)
		}
		if !volume.ReadOnly {
			t.Errorf("service %s may write to %s", name, volume.Source)
		}
	}
}

// bare stands for every image that a Dockerfile begins with, as no registry is asked.
type bare struct{}

func (bare) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	config, err := json.Marshal(ocispecs.Image{Platform: ocispecs.Platform{OS: "linux", Architecture: "amd64"}})
	return ref, "", config, err
}

// TestDockerfile has BuildKit read the Dockerfile, and its linter, which is `docker build --check`, complain.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	source := llb.NewSourceMap(nil, "Dockerfile", "", text)
	if source.Definition, err = llb.Scratch().Marshal(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, arguments := range []map[string]string{nil, {"BINARY": "released"}} {
		results, err := dockerfile2llb.DockerfileLint(t.Context(), text, dockerfile2llb.ConvertOpt{
			Config: dockerui.Config{BuildArgs: arguments}, MetaResolver: bare{}, SourceMap: source,
		})
		if err != nil {
			t.Fatal(err)
		}
		if results.Error != nil {
			t.Errorf("%v: %s", arguments, results.Error.Message)
		}
		for _, warning := range results.Warnings {
			t.Errorf("%v: %s: %s", arguments, warning.RuleName, warning.Detail)
		}
	}
}

// TestManifests builds what `kubectl apply -k deploy` applies, and decodes each object strictly: an unknown field is an error.
func TestManifests(t *testing.T) {
	t.Parallel()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(root, "deploy"))
	if err != nil {
		t.Fatal(err)
	}
	known := runtime.NewScheme()
	if err := scheme.AddToScheme(known); err != nil {
		t.Fatal(err)
	}
	if err := monitoring.AddToScheme(known); err != nil {
		t.Fatal(err)
	}
	decoder := serializer.NewCodecFactory(known, serializer.EnableStrict).UniversalDeserializer()
	var kinds []string
	for _, resource := range built.Resources() {
		text, err := resource.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		_, kind, err := decoder.Decode(text, nil, nil)
		if err != nil {
			t.Errorf("%s %s: %v", resource.GetKind(), resource.GetName(), err)
			continue
		}
		kinds = append(kinds, kind.Kind)
		if kind.Kind != "Namespace" && resource.GetNamespace() != "layerwatch" {
			t.Errorf("%s %s is in namespace %q", kind.Kind, resource.GetName(), resource.GetNamespace())
		}
	}
	slices.Sort(kinds)
	if got, want := strings.Join(kinds, " "), "ConfigMap Namespace NetworkPolicy PrometheusRule Service ServiceMonitor StatefulSet"; got != want {
		t.Errorf("it applies %s, want %s", got, want)
	}
}
