package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/memfaulttest"
)

// TestMain runs the program instead of the tests in a process that a test starts.
func TestMain(m *testing.M) {
	if os.Getenv("CI_RELEASE_TEST_PROCESS") != "" {
		main()
	}
	os.Exit(m.Run())
}

func newProcess(t *testing.T, cloud *memfaulttest.Server, args ...string) (process *exec.Cmd, out, errors *bytes.Buffer) {
	t.Helper()
	process = exec.CommandContext(t.Context(), os.Args[0], args...)
	process.Env = []string{
		"CI_RELEASE_TEST_PROCESS=1", "MEMFAULT_BASE_URL=" + cloud.URL, "MEMFAULT_ORG_TOKEN=" + cloud.OrganizationToken(),
		"MEMFAULT_ORG=" + cloud.Project().Organization, "MEMFAULT_PROJECT=" + cloud.Project().Project,
	}
	out, errors = &bytes.Buffer{}, &bytes.Buffer{}
	process.Stdout, process.Stderr = out, errors
	return process, out, errors
}

func TestProcess_Signals(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			cloud, b := seed(memfaulttest.NewServer(t)), newBuild(t)
			process, out, errors := newProcess(t, cloud, b.flags()...)
			reached := make(chan struct{}, 1)
			cloud.Fail(memfaulttest.Fault{Operation: "upload.commit_ota_payload", Delay: time.Hour, Before: func() { reached <- struct{}{} }})
			require.NoError(t, process.Start())
			<-reached
			require.NoError(t, process.Process.Signal(signal))
			require.Error(t, process.Wait())
			o := outcome{process.ProcessState.ExitCode(), out.String(), errors.String()}
			o.requireCode(t, exitInterrupted, "interrupted; run the same command again to continue")
			assert.Contains(t, o.err, "ci-release: done: check, symbols; left: payload, deployment, offer\n")
			cloud.Heal()
			again, out, errors := newProcess(t, cloud, b.flags()...)
			require.NoError(t, again.Run(), errors)
			assert.Equal(t, 2, strings.Count(out.String(), "Memfault has them"), out)
			assert.Len(t, cloud.Uploads(), 4)
		})
	}
}

func TestConnect_Environment(t *testing.T) {
	cloud := seed(memfaulttest.NewServer(t))
	b := newBuild(t)
	all := map[string]string{
		"MEMFAULT_BASE_URL": cloud.URL, "MEMFAULT_ORG_TOKEN": cloud.OrganizationToken(), "MEMFAULT_ORG": "acme", "MEMFAULT_PROJECT": "smart-sink",
		"MEMFAULT_PROJECT_KEY": "", "MEMFAULT_EMAIL": "", "MEMFAULT_PASSWORD": "", "MEMFAULT_API_KEY": "",
	}
	for name, test := range map[string]struct {
		variable, value string
		code            int
		text            string
	}{
		"no credential":     {"MEMFAULT_ORG_TOKEN", "", exitUsage, "no credential in the environment: set MEMFAULT_ORG_TOKEN"},
		"no project":        {"MEMFAULT_PROJECT", "", exitUsage, "set MEMFAULT_ORG and MEMFAULT_PROJECT"},
		"bad address":       {"MEMFAULT_BASE_URL", "ftp://x", exitUsage, "WithBaseURL"},
		"wrong token":       {"MEMFAULT_ORG_TOKEN", "oat_secret", exitRefused, "check MEMFAULT_ORG_TOKEN"},
		"wrong project":     {"MEMFAULT_PROJECT", "other", exitFailed, "if the organization or project slug does not exist"},
		"wrong project key": {"MEMFAULT_PROJECT_KEY", "secret", exitRefused, "The credential lacks the permission"},
		"project key":       {"MEMFAULT_PROJECT_KEY", cloud.ProjectKey(), exitDone, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for variable, value := range all {
				t.Setenv(variable, value)
			}
			t.Setenv(test.variable, test.value)
			o := runWith(t.Context(), b.flags(), connect)
			o.requireCode(t, test.code, test.text)
			if test.value != "" {
				assert.NotContains(t, o.out+o.err, cloud.OrganizationToken())
				assert.NotContains(t, o.out+o.err, "secret")
			}
		})
	}
	t.Run("only a project key", func(t *testing.T) {
		for variable, value := range all {
			t.Setenv(variable, value)
		}
		t.Setenv("MEMFAULT_ORG_TOKEN", "")
		t.Setenv("MEMFAULT_PROJECT_KEY", cloud.ProjectKey())
		runWith(t.Context(), b.flags(), connect).requireCode(t, exitUsage, "Set MEMFAULT_ORG_TOKEN")
	})
}

func TestFake_EveryCommand(t *testing.T) {
	b := newBuild(t)
	fast := func(ctx context.Context, c *cli) (*connection, error) { return startFake(ctx, c, time.Millisecond) }
	for name, test := range map[string]struct {
		args []string
		text string
	}{
		"release":      {b.flags("-rollout", "10", "-wait", "90%", "-poll", "2ms"), "with 1.4.2+ci.77"},
		"release all":  {b.flags("-wait", "100%", "-poll", "2ms"), "100 devices: 100 with 1.4.2+ci.77"},
		"symbols":      {[]string{"-symbols", b.symbols}, "uploaded"},
		"release dry":  {b.flags("-rollout", "10", "-wait", "90%", "-dry-run"), "would wait for 90%"},
		"promote":      {rolloutArgs("promote", "-rollout", "50", "-wait", "90%", "-poll", "2ms"), "with 1.4.2+ci.77"},
		"status":       {[]string{"status", "-cohort", "beta"}, "100 devices"},
		"pull":         {rolloutArgs("pull"), "deactivated"},
		"help":         {[]string{"-help"}, "Usage: ci-release"},
		"help release": {[]string{"release", "-help"}, "--hardware-version"},
	} {
		t.Run(name, func(t *testing.T) {
			o := runWith(t.Context(), append(test.args, "-fake"), fast)
			o.requireCode(t, exitDone, "")
			assert.Contains(t, o.out, test.text)
		})
	}
}

// The fake refuses what the real Memfault would not know.
func TestFake_RefusesTypos(t *testing.T) {
	b := newBuild(t)
	payload := []string{"-payload", b.payload, "-version", "1.4.2+ci.77"}
	for name, test := range map[string]struct {
		args []string
		text string
	}{
		"cohort":           {b.flags("-cohort", "beat"), "cohort beat does not exist"},
		"cohort of status": {[]string{"status", "-cohort", "beat"}, "cohort beat does not exist"},
		"board":            {append(payload, "-hardware-version", "evx", "-cohort", "beta"), "hardware version evx does not exist"},
		"one of two":       {append(payload, "-hardware-version", "evt,evx"), "hardware version evx does not exist"},
		"software type":    {append(payload, "-hardware-version", "evt", "-software-type", "mian"), "no software type mian"},
		"pull":             {[]string{"pull", "-cohort", "beta", "-version", "1.4.2"}, "1.4.2 was never deployed"},
		"promote":          {[]string{"promote", "-cohort", "beta", "-version", "1.4.2", "-rollout", "50"}, "1.4.2 is not active"},
	} {
		t.Run(name, func(t *testing.T) {
			runWith(t.Context(), append(test.args, "-fake"), connect).requireCode(t, exitRefused, test.text)
		})
	}
}

func TestUnknownCommand(t *testing.T) {
	for args, want := range map[string]string{
		"relase":              `unexpected argument relase, did you mean "release"?`,
		"stauts -cohort beta": `unexpected argument stauts, did you mean "status"?`,
		"frobnicate":          "unexpected argument frobnicate (see",
		"status -cohrt beta":  `unknown flag --cohrt, did you mean "--cohort"?`,
	} {
		runWith(t.Context(), strings.Fields(args), connect).requireCode(t, exitUsage, want)
	}
}

// On a narrow terminal, such as a phone, lines are broken between words.
func TestNarrowTerminal(t *testing.T) {
	const width = 40
	b := newBuild(t)
	b.payload = "app.bin" // in the working directory, as in a CI job
	t.Chdir(b.dir)
	fast := func(ctx context.Context, c *cli) (*connection, error) { return startFake(ctx, c, time.Millisecond) }
	for _, args := range [][]string{
		{"-help"},
		{"release", "-help"},
		{"promote", "-help"},
		{"status", "-help"},
		{"pull", "-help"},
		{"relase"},
		{"-payload", b.payload, "-version", "1.4.2+ci.77", "-hardware-version", "evt,dvt", "-cohort", "beta", "-rollout", "10", "-wait", "90%", "-poll", "2ms", "-fake"},
		{"status", "-cohort", "beta", "-fake"},
		{"status", "-cohort", "beat", "-fake"},
		{"pull", "-cohort", "beta", "-version", "1.4.2+ci.77", "-fake"},
	} {
		text := func(width int) string {
			var out bytes.Buffer
			a := app{stdout: &out, stderr: &out, width: width, connect: fast}
			a.run(t.Context(), args)
			return out.String()
		}
		broken := text(width)
		assert.NotEmpty(t, broken)
		for line := range strings.Lines(broken) {
			assert.LessOrEqual(t, len(strings.TrimSuffix(line, "\n")), width, "%v: %s", args, line)
		}
		if args[0] == "status" && len(args) == 4 { // deterministic, but for the time
			assert.Len(t, strings.Fields(broken), len(strings.Fields(text(0))), "no word is lost")
		}
	}
}

func TestWrap(t *testing.T) {
	assert.Equal(t, "a line that is long\n", wrap("a line that is long\n", 0, 2), "not a terminal")
	assert.Equal(t, "a line\n", wrap("a line\n", 6, 2))
	assert.Equal(t, "a line\n  that\n  is\n  long\n", wrap("a line that is long\n", 6, 2))
	assert.Equal(t, "step        a line\n            that\n", wrap("step        a line that\n", 18, 12))
	assert.Equal(t, "ab\n  abcdefghijk\n  c\n", wrap("ab abcdefghijk c\n", 6, 2), "a long word stays whole")
	assert.Equal(t, "für die\n", wrap("für die\n", 7, 2), "columns are not bytes")
}

// buffer is a terminal.
type buffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func TestBars(t *testing.T) {
	for _, same := range []bool{true, false} {
		cloud, b := seed(memfaulttest.NewServer(t)), newBuild(t)
		cloud.Fail(memfaulttest.Fault{Operation: "upload.commit_symbols", Status: 400, Skip: 1, Times: 1})
		out, terminal := &buffer{}, &buffer{}
		a := app{stdout: out, stderr: terminal, bars: terminal, sameTerminal: same, connect: func(context.Context, *cli) (*connection, error) {
			return &connection{client: cloud.Client(t), project: cloud.Project(), close: func() {}}, nil
		}}
		require.Equal(t, exitRefused, a.run(t.Context(), b.flags()), "the commit of a file fails")
		assert.Contains(t, terminal.String(), "failed\n")
		require.Equal(t, exitDone, a.run(t.Context(), b.flags()), terminal)
		assert.Contains(t, terminal.String(), b.payload+" for dvt")
		assert.Contains(t, terminal.String(), "100 % sent\n")
		bars := strings.Count(terminal.String(), " sent\n")
		require.Equal(t, exitDone, a.run(t.Context(), b.flags()), terminal)
		assert.Equal(t, bars, strings.Count(terminal.String(), " sent\n"), "bars of files that are not sent")
	}
}

func TestPlain_QuartersOfALargeFile(t *testing.T) {
	var out bytes.Buffer
	shown := (&plain{out: &out}).upload("app.bin")
	for sent := int64(0); sent <= 64<<20; sent += 1 << 20 {
		shown.sent(sent, 64<<20)
	}
	shown.end(nil)
	assert.Equal(t, "            app.bin: 25% of 64 MiB\n            app.bin: 50% of 64 MiB\n            app.bin: 75% of 64 MiB\n", out.String())
}
