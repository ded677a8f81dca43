package main

import (
	"context"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/Masterminds/semver/v3"

	"github.com/memfault-go/memfault"
)

// The names of the steps.
const (
	stepCheck      = "check"
	stepSymbols    = "symbols"
	stepPayload    = "payload"
	stepDeployment = "deployment"
	stepOffer      = "offer"
	stepWait       = "wait"
)

// releaseCmd uploads a build and deploys it.
type releaseCmd struct {
	Symbols         string   `placeholder:"PATH" help:"ELF file, or directory tree with ELF files, whose symbols Memfault needs."`
	Payload         []string `sep:"none" placeholder:"[BOARD=]FILE" help:"Payload for each board, or for one of them; can be repeated."`
	Version         string   `help:"Version of the release."`
	SoftwareType    string   `default:"main" help:"Software type of the release."`
	HardwareVersion []string `placeholder:"BOARD,..." help:"Hardware versions of the boards."`
	Cohort          string   `placeholder:"SLUG" help:"Cohort to deploy to. Without it, the build is only uploaded."`
	Rollout         percent  `placeholder:"10" help:"Share of the cohort's devices that are offered the release at first; all by default."`
	Notes           string   `placeholder:"FILE" help:"File with the release notes."`
	Revision        string   `help:"Commit of the build."`
	waitFlags

	version  *semver.Version // nil if the version is not a semantic one, so that it has no known order
	symbols  []symbolFile
	payloads []payload // one for each board
	notes    string
}

// payload is a file for a board.
type payload struct{ board, path string }

func (c *releaseCmd) read(ctx context.Context) error {
	err := c.readFlags()
	if err == nil {
		err = c.readPayloads()
	}
	if err == nil && c.Symbols != "" {
		c.symbols, err = findSymbols(ctx, c.Symbols)
	}
	return err
}

// readFlags checks which flags belong together.
func (c *releaseCmd) readFlags() error {
	switch {
	case c.Symbols == "" && len(c.Payload) == 0:
		return badInput("nothing to do: -symbols or -payload is required (see ci-release release -help)")
	case len(c.Payload) > 0 && (c.Version == "" || len(c.HardwareVersion) == 0 || c.SoftwareType == ""):
		return badInput("-payload requires -version, -software-type and -hardware-version")
	case c.Cohort != "" && len(c.Payload) == 0:
		return badInput("-cohort requires -payload")
	case (c.Rollout != 0 || c.Wait != 0) && c.Cohort == "":
		return badInput("-rollout and -wait require -cohort")
	case c.Rollout != percent(int(c.Rollout)):
		return badInput("-rollout %s: only whole percentages are possible", c.Rollout)
	case c.Version != "":
		if !versionForm.MatchString(c.Version) || strings.TrimSpace(c.Version) != c.Version {
			return badInput("-version %q: Memfault accepts 1 to 128 letters, digits, spaces and -_.+:\\()[]/", c.Version)
		}
		if version, err := semver.StrictNewVersion(c.Version); err == nil {
			c.version = version
		}
	}
	return nil
}

// versionForm is the documented form of a version.
var versionForm = regexp.MustCompile(`^[-a-zA-Z0-9_.+:\\()\[\]/ ]{1,128}$`)

// readPayloads assigns a file to each board, and reads the release notes.
func (c *releaseCmd) readPayloads() error {
	files := map[string]string{} // by board; "" for all others
	for _, value := range c.Payload {
		board, path, ok := strings.Cut(value, "=")
		if !ok || !slices.Contains(c.HardwareVersion, board) {
			board, path = "", value
		}
		if files[board] != "" {
			return badInput("-payload: %s and %s are for the same boards", files[board], path)
		}
		files[board] = path
	}
	for i, board := range c.HardwareVersion {
		path := files[board]
		if path == "" {
			path = files[""]
		}
		switch {
		case board == "" || slices.Contains(c.HardwareVersion[:i], board):
			return badInput("-hardware-version: %q is empty or contained twice", board)
		case path == "" && len(c.Payload) > 0:
			return badInput("-payload: there is no file for %s", board)
		case path != "":
			c.payloads = append(c.payloads, payload{board, path})
		}
	}
	for _, p := range c.payloads {
		if err := checkPayload(p.path); err != nil {
			return err
		}
	}
	return c.readNotes()
}

func checkPayload(path string) error {
	file, err := memfault.OpenFile(path)
	if err != nil {
		return badInput("-payload: %s", strings.TrimPrefix(err.Error(), "memfault: OpenFile: "))
	}
	defer func() { _ = file.Close() }() // only its size was read
	if file.Size == 0 {
		return badInput("-payload: %s is empty: check the build", path)
	}
	return nil
}

func (c *releaseCmd) readNotes() error {
	if c.Notes == "" {
		return nil
	}
	text, err := os.ReadFile(c.Notes)
	if err != nil {
		return badInput("-notes: %v", err)
	}
	if !utf8.Valid(text) {
		return badInput("-notes: %s is not UTF-8 text", c.Notes)
	}
	c.notes = strings.TrimSpace(string(text))
	return nil
}

// release is a run of releaseCmd.
type release struct {
	*session
	*releaseCmd
	devices    map[string][]memfault.Device // of the cohort, by board; at most maxAsked each
	deployment *memfault.Deployment         // nil if the release is not deployed
}

func (c *releaseCmd) steps(s *session) []step {
	r := &release{session: s, releaseCmd: c, devices: map[string][]memfault.Device{}}
	steps := []step{{stepCheck, r.check}}
	if c.Symbols != "" {
		steps = append(steps, step{stepSymbols, r.uploadSymbols})
	}
	if len(c.payloads) > 0 {
		steps = append(steps, step{stepPayload, r.uploadPayloads})
	}
	if c.Cohort != "" {
		steps = append(steps, step{stepDeployment, r.deploy}, step{stepOffer, r.proveOffers})
	}
	if c.Wait != 0 {
		steps = append(steps, step{stepWait, func(ctx context.Context) error {
			return s.wait(ctx, c.waitFlags, c.Cohort, c.Version, r.deployment)
		}})
	}
	return steps
}

// uploadPayloads uploads one payload after the other, because the first creates the release.
func (r *release) uploadPayloads(ctx context.Context) error {
	for _, p := range r.payloads {
		if err := r.uploadPayload(ctx, p); err != nil {
			return prefixed(p.path+" for "+p.board, err)
		}
	}
	return nil
}

func (r *release) uploadPayload(ctx context.Context, p payload) error {
	file, err := memfault.OpenFile(p.path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	event := event{Step: stepPayload, State: stateUnchanged, Subject: p.path + " for " + p.board, Text: "Memfault has it"}
	if r.cli.DryRun {
		there, _, err := r.storedPayloads(ctx, p, file)
		if err == nil && !there {
			event.State, event.Text = stateWould, "would upload "+size(file.Size)
		}
		if err == nil {
			r.out.event(event)
		}
		return err
	}
	shown := r.out.upload(p.path + " for " + p.board)
	result, err := r.client.Uploads.OTAPayload(ctx, r.project, file, memfault.OTAPayloadOptions{
		HardwareVersion: p.board, SoftwareType: r.SoftwareType, SoftwareVersion: r.Version,
		Revision: r.Revision, Notes: r.notes, IfMissing: true,
	}, memfault.WithProgress(shown.sent))
	shown.end(err)
	if err != nil {
		return err
	}
	if !result.AlreadyUploaded {
		event.State, event.Text = stateDone, "uploaded "+size(result.Size)
	}
	r.out.event(event)
	return nil
}

// storedPayloads returns the payloads of the release for a board: whether the local file is one
// of them, and those with other content. Files of another software type are left out, as far as
// that is known: the type of a file is the primary one of its board.
func (r *release) storedPayloads(ctx context.Context, p payload, file *memfault.File) (there bool, others []memfault.Artifact, err error) {
	stored, err := r.client.Releases.Get(ctx, r.project, r.Version)
	if errors.Is(err, memfault.ErrNotFound) {
		return false, nil, nil
	}
	if err != nil {
		return false, nil, err
	}
	sum, err := hashOf(file)
	if err != nil {
		return false, nil, err
	}
	for _, artifact := range stored.Artifacts {
		primary := artifact.HardwareVersion.PrimarySoftwareType
		switch {
		case artifact.HardwareVersion.Name != p.board || artifact.Type == memfault.ArtifactTypeSymbols:
		case primary == nil || primary.Name != r.SoftwareType:
		case strings.EqualFold(artifact.MD5, sum.md5):
			there = true
		default:
			others = append(others, artifact)
		}
	}
	return there, others, nil
}

// checkPayload reports another payload of the release for the board. Then devices may be offered
// either, and the offer is the proof.
func (r *release) checkPayload(ctx context.Context, p payload) error {
	file, err := memfault.OpenFile(p.path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	_, others, err := r.storedPayloads(ctx, p, file)
	switch {
	case errors.Is(err, memfault.ErrForbidden):
		r.note("whether release %s has another payload for %s cannot be found out, because the credential may not read releases", r.Version, p.board)
		return nil
	case err != nil:
		return err
	}
	for _, other := range others {
		r.note("release %s has another payload for %s, %s (MD5 %s), and devices may be offered either: raise -version", r.Version, p.board, other.Filename, other.MD5)
	}
	return nil
}
