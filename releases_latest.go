package memfault

import (
	"context"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/memfault-go/memfault/internal/operation"
)

// reasonHeader tells why a device is offered a release, or none.
const reasonHeader = "Memfault-Reason"

// reasonRateLimited is the reason of a 204 that tells nothing about releases.
const reasonRateLimited = "rate-limited"

// LatestReleaseQuery says which device asks for an update.
type LatestReleaseQuery struct {
	DeviceSerial    string `url:"device_serial"`             // required; decides the cohort
	HardwareVersion string `url:"hardware_version"`          // required
	SoftwareType    string `url:"software_type,omitempty"`   // Memfault asks for it today; older devices leave it out
	CurrentVersion  string `url:"current_version,omitempty"` // without it, the newest release is an update
}

func (q LatestReleaseQuery) validate() error {
	switch {
	case q.DeviceSerial == "":
		return invalid("LatestReleaseQuery: DeviceSerial is empty")
	case q.HardwareVersion == "":
		return invalid("LatestReleaseQuery: HardwareVersion is empty")
	default:
		return nil
	}
}

// LatestRelease is the answer to a device that asks for an update.
type LatestRelease struct {
	UpdateAvailable bool   `json:"update_available"`
	Reason          string `json:"reason"` // why there is an update or none, such as latest or cohort_settings
	Release                // what to install; zero when there is no update
}

// LatestReleaseURL is the answer to a device that asks where its update is.
type LatestReleaseURL struct {
	UpdateAvailable bool   `json:"update_available"`
	Reason          string `json:"reason"`
	URL             string `json:"url"` // where the artifact is, without a credential; empty when there is no update
}

// Latest returns the release that a device is to install: the highest version
// that is deployed to its cohort for its hardware version and software type. It
// needs a ProjectKey. The URLs of the artifacts are valid for six hours.
//
// No update is no error; see LatestRelease.UpdateAvailable. A device that asks too
// often, by one account more than 100 times a day, by another 6, is
// ErrRateLimited, also where Memfault disguises that as "no update" (204). An
// unknown hardware version or software type is ErrBadRequest.
//
// Memfault: https://docs.memfault.com/api/retrieve-latest-release-for-a-device
func (s *ReleasesService) Latest(ctx context.Context, query LatestReleaseQuery, opts ...CallOption) (*LatestRelease, error) {
	r, err := s.askLatest(ctx, operation.ReleasesLatest, query, opts)
	if err != nil {
		return nil, err
	}
	defer r.release()
	latest := &LatestRelease{UpdateAvailable: !r.isEmpty(), Reason: r.response.Header.Get(reasonHeader)}
	if !latest.UpdateAvailable {
		return latest, nil
	}
	release, err := decode[Release](r)
	if err != nil {
		return nil, err
	}
	latest.Release = *release
	if latest.Reason == "" {
		latest.Reason = release.Reason
	}
	return latest, nil
}

// LatestURL returns where the release that a device is to install can be
// downloaded, for a device that has no use for the rest of what Latest tells. All
// that Latest says of its errors holds here.
//
// Memfault: https://docs.memfault.com/docs/mcu/releases-integration-guide
func (s *ReleasesService) LatestURL(ctx context.Context, query LatestReleaseQuery, opts ...CallOption) (*LatestReleaseURL, error) {
	r, err := s.askLatest(ctx, operation.ReleasesLatestURL, query, opts)
	if err != nil {
		return nil, err
	}
	defer r.release()
	latest := &LatestReleaseURL{UpdateAvailable: !r.isEmpty(), Reason: r.response.Header.Get(reasonHeader)}
	if latest.UpdateAvailable {
		if latest.URL, err = r.readURL(); err != nil {
			return nil, err
		}
	}
	return latest, nil
}

// askLatest returns an answer that is not a disguised rate limit.
func (s *ReleasesService) askLatest(ctx context.Context, id operation.ID, query LatestReleaseQuery, opts []CallOption) (*reply, error) {
	if err := query.validate(); err != nil {
		return nil, err
	}
	r, err := clientOf(s).call(ctx, operation.Get(id), requestParams{query: query}, newCallOptions(opts))
	if err != nil {
		return nil, err
	}
	if r.isEmpty() && strings.EqualFold(r.response.Header.Get(reasonHeader), reasonRateLimited) {
		defer r.release()
		limited := newResponseError(r.call, r.response, nil)
		limited.Message, limited.cause = "the device asked too often", ErrRateLimited
		limited.RetryAfter, _ = retryAfter(r.response)
		return nil, limited
	}
	return r, nil
}

func (r *reply) isEmpty() bool { return r.response.StatusCode == http.StatusNoContent }

// readURL reads a body that is a URL as plain text, or an object that holds one.
func (r *reply) readURL() (string, error) {
	text := strings.TrimSpace(r.body.String())
	if kind, _, _ := mime.ParseMediaType(r.response.Header.Get("Content-Type")); kind == "application/json" {
		object, err := decodeData[struct {
			URL string `json:"url"`
		}](r)
		if err != nil {
			return "", err
		}
		text = object.URL
	}
	if parsed, err := url.Parse(text); err != nil || parsed.Host == "" {
		return "", r.decodeError("the reply is no URL", nil)
	}
	return text, nil
}
