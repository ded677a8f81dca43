package memfault

import (
	"encoding/json"
	"strconv"
)

// ProjectSummary identifies a project in another resource.
type ProjectSummary struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	Slug string `json:"slug"`
}

// SoftwareTypeRef identifies a software type in another resource.
type SoftwareTypeRef struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// SoftwareVersionRef identifies a software version in another resource.
type SoftwareVersionRef struct {
	ID           int64           `json:"id"`
	Version      string          `json:"version"`
	Archived     bool            `json:"archived"`
	SoftwareType SoftwareTypeRef `json:"software_type"`
}

// ReleaseRef identifies a release in another resource.
type ReleaseRef struct {
	ID       int64  `json:"id"`
	Version  string `json:"version"`
	Revision string `json:"revision"`
}

// DeviceRef identifies a device in another resource.
type DeviceRef struct {
	ID              int64              `json:"id"`
	DeviceSerial    string             `json:"device_serial"`
	HardwareVersion HardwareVersionRef `json:"hardware_version"`
	LastSeen        Timestamp          `json:"last_seen"` // only in some responses
}

// UserRef identifies a user in another resource.
type UserRef struct {
	ID    int64  `json:"id"`
	Email string `json:"email"`
	Name  string `json:"name"`
}

// CohortRef identifies a cohort in another resource. Some responses contain only the slug, as
// a string. Then the other fields are zero.
type CohortRef struct {
	ID           int64  `json:"id"`
	Name         string `json:"name"`
	Slug         string `json:"slug"`
	CountDevices int    `json:"count_devices"`

	asText bool
}

// UnmarshalJSON decodes an object, or a string with the slug.
func (r *CohortRef) UnmarshalJSON(data []byte) error {
	type object CohortRef
	return unmarshalEither(data, &r.asText, &r.Slug, (*object)(r))
}

// MarshalJSON encodes r in the form from which it was decoded.
func (r CohortRef) MarshalJSON() ([]byte, error) {
	type object CohortRef
	return marshalEither(r.asText, r.Slug, object(r))
}

// HardwareVersionRef identifies a hardware version in another resource. Older responses
// contain only the name, as a string; newer responses contain an object.
type HardwareVersionRef struct {
	Name                string           `json:"name"`
	PrimarySoftwareType *SoftwareTypeRef `json:"primary_software_type"`

	asText bool
}

// UnmarshalJSON decodes an object, or a string with the name.
func (r *HardwareVersionRef) UnmarshalJSON(data []byte) error {
	type object HardwareVersionRef
	return unmarshalEither(data, &r.asText, &r.Name, (*object)(r))
}

// MarshalJSON encodes r in the form from which it was decoded.
func (r HardwareVersionRef) MarshalJSON() ([]byte, error) {
	type object HardwareVersionRef
	return marshalEither(r.asText, r.Name, object(r))
}

// unmarshalEither decodes a value that is a string in some responses and an object in others.
func unmarshalEither(data []byte, asText *bool, text *string, object any) error {
	if *asText = len(data) > 0 && data[0] == '"'; !*asText {
		return json.Unmarshal(data, object)
	}
	return json.Unmarshal(data, text)
}

// marshalEither encodes text or object, in the form from which the value was decoded.
func marshalEither(asText bool, text string, object any) ([]byte, error) {
	if asText {
		return json.Marshal(text)
	}
	return json.Marshal(object)
}

// pathID returns an ID as a path segment. An ID below 1 becomes an empty segment, which expand
// rejects.
func pathID(id int64) string {
	if id < 1 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}

// AppPage identifies a page of Memfault's web app below a project. [AppDevice], [AppIssue] and the
// other functions create one; the zero value is the project itself.
type AppPage struct {
	segments [4]string
	count    int
}

func appPage(segments ...string) AppPage {
	var page AppPage
	page.count = copy(page.segments[:], segments)
	return page
}

// AppDevice is the page of a device.
func AppDevice(deviceSerial string) AppPage { return appPage("devices", deviceSerial) }

// AppIssue is the page of an issue.
func AppIssue(issueID int64) AppPage { return appPage("issues", pathID(issueID)) }

// AppRelease is the page of a release.
func AppRelease(version string) AppPage { return appPage("releases", version) }

// AppDeltaRelease is the page of a delta release.
func AppDeltaRelease(from, to string) AppPage { return appPage("delta-releases", from, to) }

// AppSoftwareVersion is the page of a version of the software type with the given name.
func AppSoftwareVersion(softwareType, version string) AppPage {
	return appPage("software", softwareType, "versions", version)
}

// AppCohort is the page of a cohort.
func AppCohort(cohortSlug string) AppPage { return appPage("cohorts", cohortSlug) }

// AppURL returns the address of a page in Memfault's web app, for links in dashboards and
// messages. It returns "" if a slug, a serial or a version is empty, "." or "..", or an ID is
// less than 1. It sends nothing and does not check that the page exists. The slug "-" stands for
// the user's own organization or project.
//
// Not documented by Memfault; observed only in Memfault's command-line tool (releases, delta
// releases and software versions) and in a link of another program (devices).
// UNCERTAIN(app-paths): the paths of issues and cohorts; they are those of the API's resources,
// without /api/v0.
func AppURL(project ProjectRef, page AppPage) string {
	url := "https://app.memfault.com"
	segments := append([]string{"organizations", project.Organization, "projects", project.Project}, page.segments[:page.count]...)
	for _, segment := range segments {
		if checkSegment(segment) != nil {
			return ""
		}
		url += "/" + escapeSegment(segment)
	}
	return url
}
