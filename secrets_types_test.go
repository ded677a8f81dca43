package memfault_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

const (
	typeSecret = "s3cret-value"
	signedURL  = "https://bucket.example/a?X-Signature=" + typeSecret
)

// secretTypes returns a value of each exported type that holds a secret, or that has fields
// which a reader of the package cannot see.
func secretTypes(t *testing.T) map[string]any {
	client := newClient(t, memfault.OrganizationToken(typeSecret))
	values := map[string]any{
		"Client":           client,
		"Option":           memfault.WithHTTPClient(&http.Client{}),
		"CallOption":       memfault.WithHeader("X-Acme", typeSecret),
		"Authenticator":    memfault.ProjectKey(typeSecret),
		"ChunkSender":      client.WithAuth(memfault.ProjectKey(typeSecret)).Chunks.NewSender(memfault.ChunkSenderOptions{}),
		"Pager":            client.Devices.List(sink, memfault.DeviceListOptions{}),
		"File":             &memfault.File{Name: "a"},
		"WatchItem":        memfault.WatchItem[int]{},
		"Opt":              memfault.Set("a"),
		"Error":            errorWithBody(t, "no "+typeSecret+" and "+signedURL),
		"WebhookOptions":   memfault.WebhookOptions{Secrets: []string{typeSecret}},
		"Project":          memfault.Project{APIKey: typeSecret},
		"DataRoute":        memfault.DataRoute{Token: typeSecret},
		"Artifact":         memfault.Artifact{URL: signedURL},
		"LatestRelease":    memfault.LatestRelease{Release: memfault.Release{Artifacts: []memfault.Artifact{{URL: signedURL}}}},
		"LatestReleaseURL": memfault.LatestReleaseURL{URL: signedURL},
		"Response":         memfault.Response{Header: http.Header{"Location": {signedURL}, "Set-Cookie": {typeSecret}}},
	}
	t.Cleanup(func() { _ = values["ChunkSender"].(*memfault.ChunkSender).Close(t.Context()) })
	return values
}

func errorWithBody(t *testing.T, body string) error {
	got, _ := errorWith(t, memfault.ProjectKey(typeSecret), http.StatusTeapot, body)
	return got
}

// TestSecrets_NoVerbPrintsThem formats each value with every verb and flag.
func TestSecrets_NoVerbPrintsThem(t *testing.T) {
	for name, value := range secretTypes(t) {
		for _, verb := range "vTtbcdoOqxXUeEfFgGsp" {
			for _, flag := range []string{"", "+", "#", " ", "0", "-"} {
				format := "%" + flag + string(verb)
				text := fmt.Sprintf(format+" "+format+" "+format, value, []any{value}, struct{ Exported any }{value})
				for _, form := range []string{fmt.Sprintf(format, "s3cret"), fmt.Sprintf(format, []byte("s3cret")), "s3cret"} {
					if form = strings.Trim(form, "[]"); strings.Contains(form, "%!") || verb == 'T' || verb == 'p' || verb == 't' {
						continue
					}
					assert.NotContains(t, text, strings.Trim(form, `"`), "%s with %s", name, format)
				}
			}
		}
		var logged bytes.Buffer
		slog.New(slog.NewTextHandler(&logged, nil)).Info("m", "value", value)
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("m", "value", value)
		if name != "LatestRelease" { // log/slog encodes what a model contains as JSON
			assert.NotContains(t, logged.String(), "s3cret", name)
		}
	}
}

// TestSecrets_NotInJSON checks what the package has in memory. Models are JSON of Memfault, and
// keep what Memfault sent; a Response is the header of Memfault.
func TestSecrets_NotInJSON(t *testing.T) {
	models := []string{"Project", "DataRoute", "Artifact", "LatestRelease", "LatestReleaseURL", "Response"}
	for name, value := range secretTypes(t) {
		encoded, _ := json.Marshal(value) // functions have no JSON
		if slices.Contains(models, name) {
			assert.Contains(t, string(encoded), "s3cret", "%s is a model and must keep what Memfault sent", name)
			continue
		}
		assert.NotContains(t, string(encoded), "s3cret", name)
	}
}

// TestSecrets_TypesComplete fails if an exported type can hold a secret and is not in the test:
// one with hidden fields, that is a function, or with a field whose name is that of a secret.
func TestSecrets_TypesComplete(t *testing.T) {
	covered := secretTypes(t)
	harmless := []string{"AppPage", "CohortRef", "CustomDataRecording", "DeploymentRelease", "DeviceAttribute", "FleetSamplingConfiguration", "HardwareVersionRef", "ReleaseSelector", "VersionWaitError"} // their hidden fields hold the form of a value that Memfault sent, or a name
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	found := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || !spec.Name.IsExported() || strings.HasSuffix(spec.Name.Name, "Service") {
				return !ok // services hold only a Client
			}
			found++
			_, tested := covered[spec.Name.Name]
			reason := holds(spec.Type)
			assert.True(t, reason == "" || tested || slices.Contains(harmless, spec.Name.Name),
				"%s: %s can hold a secret (%s): hide it in models_secret.go, and add a value to secretTypes", name, spec.Name.Name, reason)
			return false
		})
	}
	assert.Greater(t, found, 100)
}

// holds returns why a type can hold a secret, or "".
func holds(expression ast.Expr) string {
	switch kind := expression.(type) {
	case *ast.FuncType:
		return "a function"
	case *ast.StructType:
		for _, field := range kind.Fields.List {
			for _, name := range field.Names {
				switch {
				case !name.IsExported():
					return "hidden field " + name.Name
				case name.Name == "URL" || name.Name == "APIKey" || name.Name == "Token" || name.Name == "Secrets" || name.Name == "Header":
					return "field " + name.Name
				}
			}
		}
	}
	return ""
}
