package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/memfault-go/memfault"
)

func isWrongCredential(err error) bool { return errors.Is(err, memfault.ErrWrongCredential) }

// saysActive reports whether an error is that of a deployment that is active.
func saysActive(err error) bool {
	var read *memfault.Error
	return errors.As(err, &read) && strings.Contains(read.Message, "already active")
}

func numberText(value any) string {
	number, _ := value.(json.Number)
	return number.String()
}

// first are the options of a page with one item.
var first = memfault.ListOptions{PerPage: 1}

func filterChecks() []check {
	const devicesMark = "devices-filter-release-owner"
	noDevice := func(name string, options memfault.DeviceListOptions) check {
		options.ListOptions = first
		return check{
			name: "devices of an unknown " + name, mark: devicesMark, needs: []string{"device"},
			send: func(ctx context.Context, s *session, c *memfault.Client) error {
				_, err := c.Devices.List(s.project, options).Page(ctx)
				return err
			},
			judge: honored(devicesMark, "the filter "+name),
		}
	}
	return []check{
		eventsByCreation(),
		noDevice("release", memfault.DeviceListOptions{Release: []string{unknownName}}),
		noDevice("owner_ref", memfault.DeviceListOptions{OwnerRef: []string{unknownName}}),
		{
			name: "issues of an unknown cohort", mark: "issues-filter-cohort", needs: []string{"issue"},
			send: func(ctx context.Context, s *session, c *memfault.Client) error {
				_, err := c.Issues.List(s.project, memfault.IssueListOptions{ListOptions: first, Cohort: []string{unknownName}}).Page(ctx)
				return err
			},
			judge: honored("issues-filter-cohort", "the filter cohort"),
		},
		{
			name: "log files with a limit", mark: "log-files-limit", needs: []string{"device with a log file", "second log file"},
			send: func(ctx context.Context, s *session, c *memfault.Client) error {
				_, err := c.Devices.ListLogFiles(s.project, s.known["device with a log file"], memfault.LogFileListOptions{ListOptions: onePage, Limit: 1}).Page(ctx)
				return err
			},
			judge: onlyOne("log-files-limit", true),
		},
		{
			name: "recordings with per_page", mark: "recordings-per-page", needs: []string{"device with a recording", "second recording of a device"},
			send: func(ctx context.Context, s *session, c *memfault.Client) error {
				_, err := c.Recordings.ListForDevice(s.project, s.known["device with a recording"], memfault.DeviceRecordingListOptions{ListOptions: first}).Page(ctx)
				return err
			},
			judge: func(s *session, r *result, got *exchange, err error) {
				onlyOne("recordings-per-page", false)(s, r, got, err)
				if items := itemsOf(got); len(items) > 1 && descending(items, "start_time") {
					s.decide("recordings-per-page", false, "", "per_page is ignored, but the newest comes first")
				}
			},
		},
		artifactTypes("artifacts of two types", func(s *session) []string { return []string{s.known["artifact type"], unknownName} }, true),
		artifactTypes("artifacts of an unknown type", func(*session) []string { return []string{unknownName} }, false),
	}
}

// artifactTypes checks whether the list contains artifacts of the given types.
func artifactTypes(name string, types func(*session) []string, want bool) check {
	return check{
		name: name, mark: "artifacts-types", needs: []string{"release", "artifact type"},
		send: func(ctx context.Context, s *session, c *memfault.Client) error {
			_, err := c.Artifacts.List(s.project, s.known["release"], memfault.ArtifactListOptions{ListOptions: first, Types: types(s)}).Page(ctx)
			return err
		},
		judge: func(s *session, r *result, got *exchange, _ error) {
			came := len(itemsOf(got)) > 0
			r.Reason = cameText(came)
			s.decide("artifacts-types", got.status == http.StatusOK && came == want, "repeated parameters are read", name+": "+cameText(came))
		},
	}
}

func cameText(came bool) string {
	if came {
		return "artifacts came"
	}
	return "no artifact came"
}

// honored settles a mark by a filter that nothing matches.
func honored(mark, filter string) func(*session, *result, *exchange, error) {
	return func(s *session, r *result, got *exchange, _ error) {
		switch {
		case got.status != http.StatusOK:
			r.Reason = filter + " is rejected"
			s.decide(mark, false, "", filter+" is rejected with "+strconv.Itoa(got.status))
		case len(itemsOf(got)) > 0:
			r.Reason = filter + " is ignored"
			s.decide(mark, false, "", r.Reason)
		default:
			r.Reason = filter + " is honored"
			s.decide(mark, true, r.Reason, "")
		}
	}
}

// onlyOne settles a mark by a request for one item of several. confirms is what one item
// means.
func onlyOne(mark string, confirms bool) func(*session, *result, *exchange, error) {
	return func(s *session, r *result, got *exchange, _ error) {
		r.Reason = "the limit is ignored"
		one := got.status == http.StatusOK && len(itemsOf(got)) == 1
		if got.status != http.StatusOK {
			r.Reason = "the status is " + strconv.Itoa(got.status)
		} else if one {
			r.Reason = "the limit is honored"
		}
		s.decide(mark, one == confirms, r.Reason, r.Reason)
	}
}
