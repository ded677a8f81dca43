package main

import (
	"cmp"
	"context"
	"crypto/md5" //nolint:gosec // Memfault compares payloads by their MD5
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/Masterminds/semver/v3"

	"github.com/memfault-go/memfault"
)

// maxAsked limits how many devices of a board are looked at. Of 50 devices, a staged rollout to
// 10 % reaches at least one with a probability of 99.5 %.
const maxAsked = 50

// proveOffers downloads, for each board, what a device of the cohort is offered, and compares
// it with the local file. If no device can be asked, it downloads the stored payload instead.
func (r *release) proveOffers(ctx context.Context) error {
	for _, p := range r.payloads {
		if r.cli.DryRun {
			r.out.event(event{Step: stepOffer, State: stateWould, Subject: p.board, Text: "would download what a device is offered, and compare it with " + p.path})
			continue
		}
		if err := r.proveOffer(ctx, p); err != nil {
			return prefixed(p.board, err)
		}
	}
	return nil
}

func (r *release) proveOffer(ctx context.Context, p payload) error {
	file, err := memfault.OpenFile(p.path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	device, err := r.asDevice(ctx)
	if err != nil {
		return err
	}
	asked, why := r.devices[p.board], fmt.Sprintf("%s has no device of this board", r.Cohort)
	if device == nil {
		asked, why = nil, "the credential may not read the project key, and MEMFAULT_PROJECT_KEY is not set"
	}
	var limited error
	for _, candidate := range asked {
		query := memfault.LatestReleaseQuery{
			DeviceSerial: candidate.DeviceSerial, HardwareVersion: p.board, SoftwareType: r.SoftwareType, CurrentVersion: r.currentVersion(candidate),
		}
		// VerifyOffer alone would read the whole file for each device.
		switch latest, err := device.Releases.Latest(ctx, query); {
		case errors.Is(err, memfault.ErrRateLimited):
			limited = err // of this device
			continue
		case err != nil:
			return err
		case r.isNotReached(latest):
			continue
		}
		if err := device.Releases.VerifyOffer(ctx, query, file); err != nil {
			return err
		}
		r.out.event(event{Step: stepOffer, State: stateDone, Subject: p.board, Text: fmt.Sprintf("device %s is offered the bytes of %s", candidate.DeviceSerial, p.path)})
		return nil
	}
	if len(asked) > 0 {
		why = fmt.Sprintf("the rollout reaches none of the %d devices that were asked", len(asked))
		if shareOf(r.deployment) == 100 {
			return cmp.Or(limited, fmt.Errorf("none of the %d devices that were asked is offered %s, although all should be: ci-release status -cohort %s shows what is active", len(asked), r.Version, r.Cohort))
		}
	}
	if err := r.compareStored(ctx, p, file); err != nil {
		return err
	}
	r.out.event(event{Step: stepOffer, State: stateNote, Subject: p.board, Text: "not proved with a device, because " + why + "; but the payload that Memfault stores has the bytes of " + p.path})
	return nil
}

// currentVersion returns the version that the device sends when it asks. A device that cannot
// be updated, because it runs this version or a higher one, asks like one without a version.
func (r *release) currentVersion(device memfault.Device) string {
	running := runningVersion(device)
	if parsed, err := semver.StrictNewVersion(running); err != nil || r.version == nil || !parsed.LessThan(r.version) {
		return ""
	}
	return running
}

func runningVersion(device memfault.Device) string {
	switch {
	case device.LastSeenSoftwareVersion != nil:
		return device.LastSeenSoftwareVersion.Version
	case device.LastSeenRelease != nil:
		return device.LastSeenRelease.Version
	default:
		return ""
	}
}

// isNotReached reports whether another device may be offered the release: the rollout does not
// reach this one, it must install an older release first, or a delta release suits it better.
func (r *release) isNotReached(latest *memfault.LatestRelease) bool {
	if !latest.UpdateAvailable || latest.IsDelta && latest.Version == r.Version {
		return true
	}
	if r.version == nil { // older or newer cannot be distinguished
		return latest.Version != r.Version && shareOf(r.deployment) < 100
	}
	offered, err := semver.StrictNewVersion(latest.Version)
	return err == nil && offered.LessThan(r.version)
}

// compareStored downloads the payload of the board and compares it with the local file.
func (r *release) compareStored(ctx context.Context, p payload, file *memfault.File) error {
	local, err := hashOf(file)
	if err != nil {
		return err
	}
	stored, err := r.client.Releases.Get(ctx, r.project, r.Version)
	if err != nil {
		return err
	}
	for _, artifact := range stored.Artifacts {
		if artifact.HardwareVersion.Name != p.board {
			continue
		}
		saved, err := r.client.Artifacts.Download(ctx, artifact, io.Discard)
		if err != nil {
			return err
		}
		if saved.SHA256 == local.sha256 {
			return nil
		}
	}
	return fmt.Errorf("release %s has no payload for this board with the bytes of %s", r.Version, p.path)
}

type hashes struct{ md5, sha256 string }

func hashOf(file *memfault.File) (hashes, error) {
	short, long := md5.New(), sha256.New() //nolint:gosec // see above
	if _, err := io.Copy(io.MultiWriter(short, long), io.NewSectionReader(file.Content, 0, file.Size)); err != nil {
		return hashes{}, err
	}
	return hashes{hex.EncodeToString(short.Sum(nil)), hex.EncodeToString(long.Sum(nil))}, nil
}
