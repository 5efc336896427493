package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// service is what is tested of one in compose.yaml.
type service struct {
	Image       string
	Build       any
	ReadOnly    bool `yaml:"read_only"`
	User        string
	CapDrop     []string `yaml:"cap_drop"`
	SecurityOpt []string `yaml:"security_opt"`
	Ports       []string
	Volumes     []string
	Healthcheck any
	Environment map[string]string
}

// TestCompose holds every service to what README says of all of them.
func TestCompose(t *testing.T) {
	t.Parallel()
	var project struct {
		Services map[string]service
		Volumes  map[string]any
	}
	load(t, "../compose.yaml", &project)
	if len(project.Services) != 4 {
		t.Errorf("there are %d services", len(project.Services))
	}
	exact := regexp.MustCompile(`^[a-z/]+:v?\d+\.\d+\.\d+@sha256:[0-9a-f]{64}$`)
	user := regexp.MustCompile(`^[1-9]\d*:\d+$`)
	for name, s := range project.Services {
		problems := map[string]bool{
			"its image is not exact":             s.Build == nil && !exact.MatchString(s.Image),
			"it may write to its root":           !s.ReadOnly,
			"it runs as root":                    !user.MatchString(s.User),
			"it has capabilities":                !slices.Equal(s.CapDrop, []string{"ALL"}),
			"it can gain privileges":             !slices.Contains(s.SecurityOpt, "no-new-privileges:true"),
			"nobody checks its health":           s.Build == nil && s.Healthcheck == nil,
			"nobody can reach it":                len(s.Ports) == 0,
			"it keeps nothing in a named volume": !slices.ContainsFunc(s.Volumes, func(v string) bool { return named(v, project.Volumes) }),
		}
		for problem, has := range problems {
			if has {
				t.Errorf("service %s: %s", name, problem)
			}
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "${BIND_ADDRESS:-127.0.0.1}:") {
				t.Errorf("service %s: port %s is open to others", name, port)
			}
		}
	}
	// layerwatch's own is in its image.
	if !strings.Contains(read(t, "../Dockerfile"), `HEALTHCHECK `) {
		t.Error("nobody checks the health of layerwatch")
	}
}

func named(volume string, volumes map[string]any) bool {
	name, _, _ := strings.Cut(volume, ":")
	_, ok := volumes[name]
	return ok
}

// TestGrafanasHome finds the overview where Grafana is told to look for it.
func TestGrafanasHome(t *testing.T) {
	t.Parallel()
	var project struct{ Services map[string]service }
	load(t, "../compose.yaml", &project)
	grafana := project.Services["grafana"]
	home := grafana.Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
	for _, volume := range grafana.Volumes {
		source, rest, _ := strings.Cut(volume, ":")
		target, _, _ := strings.Cut(rest, ":")
		if inside, ok := strings.CutPrefix(home, target+"/"); ok {
			if _, err := os.Stat(filepath.Join("..", source, inside)); err != nil {
				t.Errorf("Grafana's home is not there: %v", err)
			}
			return
		}
	}
	t.Errorf("Grafana's home %q is mounted by nobody", home)
}
