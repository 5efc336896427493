package chains

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"text/template"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.yaml.in/yaml/v3"
)

// The parts that none of which may be seen anywhere.
const (
	secretKey = "k3y-0f-the-user"
	secretURL = "https://user:" + secretKey + "@rpc.example.org/v2/" + secretKey
)

type (
	holder struct {
		Public  Secret
		private Secret
		Pointer *Secret
		List    []Secret
		Map     map[string]Secret
		Any     any
	}
	nested struct {
		Holder  holder
		holder  holder
		Pointer *holder
		pointer *holder
	}
)

// secrets gives a secret in every place where one can stand, by the place's name.
func secrets() map[string]any {
	s := NewSecret(secretURL)
	h := holder{Public: s, private: s, Pointer: &s, List: []Secret{s}, Map: map[string]Secret{"a": s}, Any: s}
	n := nested{Holder: h, holder: h, Pointer: &h, pointer: &h}
	type unexported struct{ s Secret }
	return map[string]any{
		"secret": s, "pointer": &s, "struct": h, "pointer to struct": &h,
		"nested": n, "pointer to nested": &n, "unexported": unexported{s}, "pointer to unexported": &unexported{s},
		"list": []Secret{s}, "list of pointers": []*Secret{&s}, "map": map[string]Secret{"a": s},
		"list of any": []any{s, &s}, "array": [1]Secret{s},
		"endpoint": Endpoint{Name: "node", URL: s, WebSocketURL: s}, "network": Network{Endpoints: []Endpoint{{URL: s}}},
		"pointer to network": &Network{Endpoints: []Endpoint{{URL: s}}},
	}
}

func mustNotShow(t *testing.T, how, shown string) {
	t.Helper()
	for _, part := range []string{secretKey, "example.org", "https://"} {
		if strings.Contains(shown, part) {
			t.Errorf("%s shows %q: %s", how, part, shown)
		}
	}
}

func TestSecretIsNotPrinted(t *testing.T) {
	t.Parallel()
	var verbs []string
	for verb := 'a'; verb <= 'z'; verb++ {
		verbs = append(verbs, string(verb), strings.ToUpper(string(verb)))
	}
	for place, value := range secrets() {
		for _, verb := range verbs {
			for _, flags := range []string{"", "+", "#", "-", " ", "0", "40", ".3", "+#"} {
				format := "%" + flags + verb
				mustNotShow(t, place+" with "+format, fmt.Sprintf(format, value))
			}
		}
		mustNotShow(t, place+" with Sprint", fmt.Sprint(value))
		mustNotShow(t, place+" with Sprintln", fmt.Sprintln(value))
		mustNotShow(t, place+" with a width too few", fmt.Sprintf("%*d", value, value))
		mustNotShow(t, place+" in an error", fmt.Errorf("dial %v: %w", value, errors.New("refused")).Error())
	}
}

func TestSecretIsNotEncoded(t *testing.T) {
	t.Parallel()
	// Whether a value can be encoded at all is not the question: what comes out, the error included, is.
	encoders := map[string]func(any) ([]byte, error){
		"JSON": json.Marshal, "XML": xml.Marshal, "YAML": yaml.Marshal,
		"indented JSON": func(v any) ([]byte, error) { return json.MarshalIndent(v, "", " ") },
		"a template": func(v any) ([]byte, error) {
			var out bytes.Buffer
			err := template.Must(template.New("").Parse(`{{.}} {{printf "%+v" .}}`)).Execute(&out, v)
			return out.Bytes(), err
		},
	}
	for place, value := range secrets() {
		for name, encode := range encoders {
			text, err := encode(value)
			mustNotShow(t, place+" in "+name, fmt.Sprint(string(text), err))
		}
	}
}

func TestSecretAsText(t *testing.T) {
	t.Parallel()
	s := NewSecret(secretURL)
	text, err := json.Marshal(map[string]Secret{"url": s})
	if err != nil || string(text) != `{"url":"[redacted]"}` {
		t.Errorf("JSON is %s, %v", text, err)
	}
	text, err = yaml.Marshal(map[string]Secret{"url": s})
	if err != nil || string(text) != "url: '[redacted]'\n" {
		t.Errorf("YAML is %q, %v", text, err)
	}
	for _, verb := range []string{"%v", "%s", "%q", "%d", "%+v", "%#v", "%x"} {
		if got := fmt.Sprintf(verb, s); got != redacted {
			t.Errorf("%s gives %q", verb, got)
		}
	}
}

func TestSecretIsNotLogged(t *testing.T) {
	t.Parallel()
	for place, value := range secrets() {
		var out bytes.Buffer
		for _, encoder := range []zapcore.Encoder{
			zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()),
			zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()),
		} {
			log := zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&out), zap.DebugLevel))
			log.Info("any", zap.Any("value", value))
			log.Info("reflected", zap.Reflect("value", value))
			log.With(zap.Any("value", value)).Info("with")
			log.Sugar().Infow("sugar", "value", value)
			log.Sugar().Infof("formatted %v %+v", value, value)
			if s, ok := value.(fmt.Stringer); ok {
				log.Info("stringer", zap.Stringer("value", s))
			}
			log.Info("error", zap.Error(fmt.Errorf("dial %v", value)))
		}
		for _, handler := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
			slog.New(handler).Info("any", "value", value)
		}
		if out.Len() == 0 {
			t.Fatal("nothing was logged")
		}
		mustNotShow(t, place+" in a log", out.String())
	}
}

func TestSecretReveal(t *testing.T) {
	t.Parallel()
	if got := NewSecret(secretURL).Reveal(); got != secretURL {
		t.Errorf("revealed as %q", got)
	}
	if got := (Secret{}).Reveal(); got != "" {
		t.Errorf("nothing is revealed as %q", got)
	}
	if (Secret{}).String() != redacted || NewSecret(secretURL).String() != redacted {
		t.Error("String tells whether there is a secret")
	}
}

func TestSecretIsZero(t *testing.T) {
	t.Parallel()
	if !(Secret{}).IsZero() || !NewSecret("").IsZero() {
		t.Error("an empty secret is not zero")
	}
	if NewSecret("a").IsZero() {
		t.Error("a secret is zero")
	}
}

// The configuration is compared as a whole to see whether a reload changed it.
func TestSecretsAreCompared(t *testing.T) {
	t.Parallel()
	a, same, other := NewSecret("a"), NewSecret("a"), NewSecret("b")
	if !a.Equal(same) || a.Equal(other) || a.Equal(Secret{}) {
		t.Error("Equal does not compare the texts")
	}
	if !(Secret{}).Equal(NewSecret("")) {
		t.Error("nothing and an empty text differ")
	}
	network := func(s Secret) Network { return Network{Endpoints: []Endpoint{{Name: "node", URL: s}}} }
	if !reflect.DeepEqual(network(a), network(same)) {
		t.Error("networks of the same URL differ")
	}
	if reflect.DeepEqual(network(a), network(other)) {
		t.Error("networks of different URLs are equal")
	}
}
