package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// cli is the command line.
type cli struct {
	JSON   bool `name:"json" help:"Print JSON, one object a line."`
	DryRun bool `help:"Report what would be done. Nothing but reads is sent."`
	Fake   bool `help:"Use a fake Memfault in this process. No credential is needed. It has the cohort beta, the boards evt and dvt, and, except for release, 1.4.2+ci.77 on a tenth of the devices."`

	Release releaseCmd `cmd:"" default:"withargs" help:"Upload symbols and payloads, deploy them, prove the offer and wait (the default)."`
	Promote promoteCmd `cmd:"" help:"Offer a staged rollout to more devices."`
	Status  statusCmd  `cmd:"" help:"Show the active deployments of a cohort, and which versions its devices run."`
	Pull    pullCmd    `cmd:"" help:"Deactivate a deployment. Devices are no longer offered the release."`
}

// waitFlags are the flags of commands that can wait for devices.
type waitFlags struct {
	Wait        percent       `placeholder:"90%" help:"Wait until this share of the devices that the deployment reaches run the version."`
	WaitTimeout time.Duration `default:"1h" help:"Fail with exit code 4 after this time. The deployment stays."`
	Poll        time.Duration `default:"30s" help:"Longest pause between two looks at the cohort."`
}

// parse returns no command if it printed the help. width is the number of columns for the help, or 0.
func parse(args []string, out io.Writer, width int) (*cli, command, error) {
	var c cli
	helped := false
	parser, err := kong.New(&c, kong.Name("ci-release"), kong.Writers(out, out), kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}),
		kong.Help(func(options kong.HelpOptions, ctx *kong.Context) error {
			if width > 0 && width < narrow {
				return printNarrowHelp(ctx, width)
			}
			return kong.DefaultHelpPrinter(options, ctx)
		}),
		kong.Description("Uploads a build to Memfault and deploys it. Flags can have one or two dashes. Credentials come from the environment: MEMFAULT_ORG_TOKEN, MEMFAULT_ORG, MEMFAULT_PROJECT."))
	if err != nil {
		return nil, nil, err
	}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		parser.Model.DefaultCmd = nil // the argument is a command, or is like one
	}
	parsed, err := parser.Parse(twoDashes(args))
	switch {
	case helped:
		return nil, nil, nil
	case err != nil:
		return nil, nil, fmt.Errorf("%w (see ci-release -help and ci-release COMMAND -help)", err)
	}
	for name, command := range map[string]command{"release": &c.Release, "promote": &c.Promote, "status": &c.Status, "pull": &c.Pull} {
		if parsed.Command() == name {
			return &c, command, nil
		}
	}
	return nil, nil, fmt.Errorf("unknown command %q", parsed.Command())
}

// narrow is the number of columns below which there is one column of text.
const narrow = 60

// printNarrowHelp prints each flag above its description.
func printNarrowHelp(ctx *kong.Context, width int) error {
	var b strings.Builder
	entry := func(name, help string) {
		b.WriteString(wrap("  "+name+"\n", width, 4) + wrap("      "+help+"\n", width, 6))
	}
	node := ctx.Selected()
	title := ctx.Model.Name
	if node == nil {
		node = ctx.Model.Node
	} else {
		title += " " + node.Name
	}
	b.WriteString("Usage: " + title + " [flags]\n\n" + wrap(node.Help+"\n", width, 0))
	if len(node.Children) > 0 {
		b.WriteString("\nCommands:\n")
		for _, command := range node.Children {
			entry(command.Name, command.Help)
		}
	}
	b.WriteString("\nFlags:\n")
	for _, group := range node.AllFlags(true) {
		for _, flag := range group {
			entry(flag.String(), kong.DefaultHelpValueFormatter(flag.Value))
		}
	}
	_, err := io.WriteString(ctx.Stdout, b.String())
	return err
}

// twoDashes returns args with flags as kong expects them: -json becomes --json.
func twoDashes(args []string) []string {
	var converted []string
	for i, arg := range args {
		if arg == "--" {
			return append(converted, args[i:]...)
		}
		if len(arg) > 2 && arg[0] == '-' && (arg[1] >= 'a' && arg[1] <= 'z') {
			arg = "-" + arg
		}
		converted = append(converted, arg)
	}
	return converted
}

// percent is a share of devices, from 1 to 100; 0 if the flag was not given.
type percent float64

// UnmarshalText reads 90% or 90.
func (p *percent) UnmarshalText(text []byte) error {
	value, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(string(text), "%")), 64)
	if err != nil || !(value >= 1 && value <= 100) {
		return fmt.Errorf("%q is not a share between 1%% and 100%%", text)
	}
	*p = percent(value)
	return nil
}

func (p percent) String() string { return strconv.FormatFloat(float64(p), 'g', 4, 64) + "%" }

// inputError is a mistake in the flags, the environment or the local files. Nothing was sent.
type inputError struct{ text string }

func (e *inputError) Error() string { return e.text }

func badInput(format string, args ...any) error {
	return &inputError{fmt.Sprintf(format, args...)}
}
