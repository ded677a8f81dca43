package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/memfault-go/memfault"
)

// The exit codes.
const (
	exitAgrees      = 0
	exitContradicts = 1
	exitUsage       = 2
)

// config contains the values of the flags.
type config struct {
	url     string
	report  string
	rate    float64
	timeout time.Duration
	write   bool
	project string
	yes     bool
}

// run is the whole program. It returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, problems io.Writer) int {
	var c config
	flags := flag.NewFlagSet("verify", flag.ContinueOnError)
	flags.SetOutput(problems)
	flags.StringVar(&c.url, "url", os.Getenv("MEMFAULT_BASE_URL"), "`address` of all hosts; by default, those of Memfault")
	flags.StringVar(&c.report, "report", "", "`file` to write the report to, as JSON")
	flags.Float64Var(&c.rate, "rate", 3, "most `requests` per second; 0 for no limit")
	flags.DurationVar(&c.timeout, "timeout", 30*time.Second, "`time` to wait for the header of a response")
	flags.BoolVar(&c.write, "write", false, "also try operations that change something, in the project of -project")
	flags.StringVar(&c.project, "project", "", "`slug` of the project for -write, in the organization MEMFAULT_ORG")
	flags.BoolVar(&c.yes, "yes", false, "do not ask before -write")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return exitAgrees
		}
		return exitUsage
	}
	s, err := c.session(flags.NArg())
	if err != nil {
		fmt.Fprintln(problems, "verify:", err)
		return exitUsage
	}
	return c.verify(ctx, s, in, out, problems)
}

// session checks the flags and the environment.
func (c config) session(arguments int) (*session, error) {
	switch {
	case arguments > 0:
		return nil, errors.New("unexpected argument")
	case c.write && c.project == "":
		return nil, errors.New("-write requires -project, the slug of a project that is only for this")
	case !c.write && c.project != "":
		return nil, errors.New("-project requires -write; the project to read is in MEMFAULT_PROJECT")
	case c.rate < 0:
		return nil, errors.New("-rate must not be negative")
	}
	recorder := &recorder{next: http.DefaultTransport}
	options := []memfault.Option{
		memfault.WithHTTPClient(&http.Client{Transport: recorder}),
		memfault.WithTimeout(c.timeout), memfault.WithUserAgent("memfault-go-verify"),
		memfault.WithRetry(memfault.RetryPolicy{MaxAttempts: 3}),
		memfault.WithRateLimiter(newPace(c.rate)),
	}
	if c.url != "" {
		options = append(options, memfault.WithBaseURL(c.url))
	}
	client, project, err := memfault.NewClientFromEnv(options...)
	if err != nil {
		return nil, err
	}
	s := &session{
		recorder: recorder, client: client, project: project, chunks: cmp.Or(c.url, "https://chunks.memfault.com"), organizationToken: os.Getenv("MEMFAULT_ORG_TOKEN") != "",
		strings: map[string]bool{}, known: map[string]string{}, marks: map[string]verdict{},
	}
	email, password, userKey := os.Getenv("MEMFAULT_EMAIL"), os.Getenv("MEMFAULT_PASSWORD"), os.Getenv("MEMFAULT_API_KEY")
	switch {
	case !s.organizationToken || email == "":
	case password != "":
		s.others = append(s.others, client.WithAuth(memfault.BasicPassword(email, password)))
	case userKey != "":
		s.others = append(s.others, client.WithAuth(memfault.BasicAPIKey(email, userKey)))
	}
	if key := os.Getenv("MEMFAULT_PROJECT_KEY"); key != "" {
		s.others = append(s.others, client.WithAuth(memfault.ProjectKey(key)))
	}
	return s, nil
}

// verify runs everything, and prints and writes the results. If ctx ends, it prints the
// results so far.
func (c config) verify(ctx context.Context, s *session, in io.Reader, out, problems io.Writer) int {
	if c.write && !c.yes && !confirm(in, out, s.project.Organization, c.project) {
		fmt.Fprintln(problems, "verify: not confirmed; nothing was sent")
		return exitUsage
	}
	for _, p := range probes() {
		if ctx.Err() == nil {
			p.run(ctx, s)
		}
	}
	for _, check := range checks() {
		if ctx.Err() == nil {
			check.run(ctx, s)
		}
	}
	if c.write && ctx.Err() == nil {
		s.write(ctx, memfault.ProjectRef{Organization: s.project.Organization, Project: c.project}, out)
	}
	r := s.report(ctx.Err() != nil, c.url != "")
	r.print(out)
	if c.report != "" {
		if err := r.save(c.report); err != nil {
			fmt.Fprintln(problems, "verify:", err)
			return exitContradicts
		}
	}
	return r.exitCode()
}

// pace limits the requests per second. It is used by one call at a time.
type pace struct {
	interval time.Duration
	next     time.Time
}

func newPace(rate float64) *pace {
	if rate == 0 {
		return &pace{}
	}
	return &pace{interval: time.Duration(float64(time.Second) / rate)}
}

// Wait implements memfault.RateLimiter.
func (p *pace) Wait(ctx context.Context) error {
	wait := time.Until(p.next)
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	p.next = time.Now().Add(p.interval)
	return ctx.Err()
}
