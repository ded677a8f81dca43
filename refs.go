package memfault

import (
	"encoding/json"
	"strconv"
)

// ProjectSummary names a project within another resource.
type ProjectSummary struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	Slug string `json:"slug"`
}

// SoftwareTypeRef names a software type within another resource.
type SoftwareTypeRef struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// SoftwareVersionRef names a software version within another resource.
type SoftwareVersionRef struct {
	ID           int64           `json:"id"`
	Version      string          `json:"version"`
	Archived     bool            `json:"archived"`
	SoftwareType SoftwareTypeRef `json:"software_type"`
}

// ReleaseRef names a release within another resource.
type ReleaseRef struct {
	ID       int64  `json:"id"`
	Version  string `json:"version"`
	Revision string `json:"revision"`
}

// DeviceRef names a device within another resource.
type DeviceRef struct {
	ID              int64              `json:"id"`
	DeviceSerial    string             `json:"device_serial"`
	HardwareVersion HardwareVersionRef `json:"hardware_version"`
	LastSeen        Timestamp          `json:"last_seen"` // only in some replies
}

// UserRef names a user within another resource.
type UserRef struct {
	ID    int64  `json:"id"`
	Email string `json:"email"`
	Name  string `json:"name"`
}

// CohortRef names a cohort within another resource. Some replies give only the
// slug, as a string; the other fields are zero then.
type CohortRef struct {
	ID           int64  `json:"id"`
	Name         string `json:"name"`
	Slug         string `json:"slug"`
	CountDevices int    `json:"count_devices"`

	asText bool
}

// UnmarshalJSON reads an object, or a string with the slug.
func (r *CohortRef) UnmarshalJSON(data []byte) error {
	type object CohortRef
	return unmarshalEither(data, &r.asText, &r.Slug, (*object)(r))
}

// MarshalJSON writes the form that was read.
func (r CohortRef) MarshalJSON() ([]byte, error) {
	type object CohortRef
	return marshalEither(r.asText, r.Slug, object(r))
}

// HardwareVersionRef names a hardware version within another resource. Older
// replies give only the name, as a string; newer ones an object.
type HardwareVersionRef struct {
	Name                string           `json:"name"`
	PrimarySoftwareType *SoftwareTypeRef `json:"primary_software_type"`

	asText bool
}

// UnmarshalJSON reads an object, or a string with the name.
func (r *HardwareVersionRef) UnmarshalJSON(data []byte) error {
	type object HardwareVersionRef
	return unmarshalEither(data, &r.asText, &r.Name, (*object)(r))
}

// MarshalJSON writes the form that was read.
func (r HardwareVersionRef) MarshalJSON() ([]byte, error) {
	type object HardwareVersionRef
	return marshalEither(r.asText, r.Name, object(r))
}

// unmarshalEither reads what is a string in some replies and an object in others.
func unmarshalEither(data []byte, asText *bool, text *string, object any) error {
	if *asText = len(data) > 0 && data[0] == '"'; !*asText {
		return json.Unmarshal(data, object)
	}
	if inner, ok := plainJSONString(data); ok {
		*text = string(inner)
		return nil
	}
	return json.Unmarshal(data, text)
}

func marshalEither(asText bool, text string, object any) ([]byte, error) {
	if asText {
		return json.Marshal(text)
	}
	return json.Marshal(object)
}

// pathID returns an id as a segment of a path. One below 1 names nothing: it is
// empty, which expand refuses.
func pathID(id int64) string {
	if id < 1 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}
