package main

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/examples/relay/internal/relaytest"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

var metricName = regexp.MustCompile(`\brelay_[a-z_]+\b`)

// Alerts, the dashboard and the documentation name metrics that exist.
func TestDeploy_MetricsExist(t *testing.T) {
	exist := map[string]bool{}
	for _, name := range regexp.MustCompile(`"relay_[a-z_]+"`).FindAllString(read(t, "internal/service/metrics.go"), -1) {
		exist[strings.Trim(name, `"`)] = true
	}
	require.Greater(t, len(exist), 30)
	suffix := regexp.MustCompile(`_(bucket|count|sum)$`)
	for _, path := range []string{"deploy/alerts.yml", "deploy/alerts_test.yml", "deploy/dashboard.json", "README.md", "docs/operations.md"} {
		names := metricName.FindAllString(read(t, path), -1)
		assert.NotEmpty(t, names, path)
		for _, name := range names {
			assert.True(t, exist[name] || exist[suffix.ReplaceAllString(name, "")], "%s: %s", path, name)
		}
	}
}

func TestDeploy_Dashboard(t *testing.T) {
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, "deploy/dashboard.json")), &dashboard))
	require.NotEmpty(t, dashboard.Panels)
	for _, panel := range dashboard.Panels {
		require.NotEmpty(t, panel.Targets, panel.Title)
		for _, target := range panel.Targets {
			assert.Regexp(t, metricName, target.Expr, panel.Title)
		}
	}
}

// The arguments in files and in the documentation are arguments of the program.
func TestDeploy_Arguments(t *testing.T) {
	service := read(t, "deploy/relay.service")
	command := regexp.MustCompile(`(?s)ExecStart=\S+ (.*?[^\\])\n`).FindStringSubmatch(service)[1]
	args := strings.Fields(strings.ReplaceAll(command, "\\\n", " "))
	args = slicesWithout(args, "-tls-cert", "-tls-key") // the files do not exist here
	_, _, err := parse(args, io.Discard)
	require.NoError(t, err, args)

	args = nil
	for _, match := range regexp.MustCompile(`(?m)^    - (-\S+)$`).FindAllStringSubmatch(read(t, "deploy/compose.yaml"), -1) {
		args = append(args, match[1])
	}
	require.NotEmpty(t, args)
	c, _, err := parse(append(args, "-fake"), io.Discard)
	require.NoError(t, err, args)
	assert.Equal(t, 3, c.Store.Replicas)

	var help strings.Builder
	_, _, err = parse([]string{"-help"}, &help)
	require.Error(t, err)
	exist := map[string]bool{"-admin": true, "-single": true} // of a command, and of cmd/ledger
	for _, match := range regexp.MustCompile(`(?m)^  (-[-a-z]+)`).FindAllStringSubmatch(help.String(), -1) {
		exist[match[1]] = true
	}
	for _, path := range []string{"README.md", "docs/operations.md"} {
		for _, match := range regexp.MustCompile("`(-[a-z][-a-z]+)").FindAllStringSubmatch(read(t, path), -1) {
			assert.True(t, exist[match[1]], "%s: %s", path, match[1])
		}
	}
}

// slicesWithout returns arguments without some flags and their values.
func slicesWithout(args []string, flags ...string) (rest []string) {
	for n := 0; n < len(args); n++ {
		if strings.Contains(" "+strings.Join(flags, " ")+" ", " "+args[n]+" ") {
			n++
			continue
		}
		rest = append(rest, args[n])
	}
	return rest
}

func TestDeploy_Alerts(t *testing.T) {
	promtool := relaytest.Tool(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}} {
		command := exec.CommandContext(t.Context(), promtool, args...)
		command.Dir = "deploy"
		out, err := command.CombinedOutput()
		require.NoError(t, err, string(out))
	}
}
