package memfault

import (
	"context"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/memfault-go/memfault/internal/operation"
)

// reasonHeader is the header with the reason why a device is offered a release or none.
const reasonHeader = "Memfault-Reason"

// reasonRateLimited is the reason of a 204 that reports a rate limit.
const reasonRateLimited = "rate-limited"

// LatestReleaseQuery describes the device that requests an update.
type LatestReleaseQuery struct {
	DeviceSerial    string `url:"device_serial"`             // required; determines the cohort
	HardwareVersion string `url:"hardware_version"`          // required
	SoftwareType    string `url:"software_type,omitempty"`   // required by Memfault; older devices omit it
	CurrentVersion  string `url:"current_version,omitempty"` // if empty, the newest release is an update
}

func (q LatestReleaseQuery) validate() error {
	return required("LatestReleaseQuery", "DeviceSerial", q.DeviceSerial, "HardwareVersion", q.HardwareVersion)
}

// LatestRelease is the result of [ReleasesService.Latest].
type LatestRelease struct {
	UpdateAvailable bool   `json:"update_available"`
	Reason          string `json:"reason"` // for the result, such as latest or cohort_settings
	Release                // the zero value if there is no update
}

// LatestReleaseURL is the result of [ReleasesService.LatestURL].
type LatestReleaseURL struct {
	UpdateAvailable bool   `json:"update_available"`
	Reason          string `json:"reason"`
	URL             string `json:"url"` // of the artifact, without a credential; may be empty
}

// Latest returns the release that a device should install. The artifact URLs are valid for six
// hours.
//
// Memfault selects the release among those deployed to the device's cohort for its hardware
// version and software type, in this order:
//
//   - a delta release from the current version;
//   - the lowest of the versions above the current version that the device must not skip;
//   - the highest version above the current version.
//
// If there is no update, the error is nil; see [LatestRelease.UpdateAvailable]. If a device
// sends too many requests, Latest fails with [ErrRateLimited], even if Memfault reports this
// as "no update" (204). Sources disagree about the limit: more than 100 requests a day, or
// more than 6. If the hardware version or the software type is unknown, Latest fails with
// [ErrBadRequest].
//
// Credentials: [ProjectKey].
//
// Memfault: https://docs.memfault.com/api/retrieve-latest-release-for-a-device and
// https://docs.memfault.com/docs/platform/ota
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
	release, err := decode[offeredRelease](r)
	if err != nil {
		return nil, err
	}
	latest.Release = release.Release
	if latest.Reason == "" {
		latest.Reason = release.Reason
	}
	return latest, nil
}

// LatestURL returns only the URL of the release that a device should install. Its errors are
// those of [ReleasesService.Latest].
//
// Credentials: [ProjectKey].
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

// offeredRelease is the body of a response that offers a release.
type offeredRelease struct{ Release }

func (r *offeredRelease) missing() string {
	if r.Version == "" {
		return "version"
	}
	return ""
}

// askLatest sends the query. For a 204 that reports a rate limit, it returns an error.
func (s *ReleasesService) askLatest(ctx context.Context, op *operation.Operation, query LatestReleaseQuery, opts []CallOption) (*reply, error) {
	if err := query.validate(); err != nil {
		return nil, err
	}
	r, err := clientOf(s).call(ctx, op, requestParams{query: query}, newCallOptions(opts))
	if err != nil {
		return nil, err
	}
	if r.isEmpty() && strings.EqualFold(r.response.Header.Get(reasonHeader), reasonRateLimited) {
		defer r.release()
		limited := newResponseError(r.call, r.response, nil)
		limited.Message, limited.kind = "the device sent too many requests", ErrRateLimited
		limited.RetryAfter, _ = retryAfter(r.response)
		return nil, limited
	}
	return r, nil
}

func (r *reply) isEmpty() bool { return r.response.StatusCode == http.StatusNoContent }

// readURL decodes a body that is a URL as plain text, or an object with a URL.
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
		return "", r.decodeError("the response body is not a URL", nil)
	}
	return text, nil
}
