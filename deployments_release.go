package memfault

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// ReleaseSelector selects a release, or a delta release, to deploy. Create it with
// [ReleaseVersion] or [DeltaRelease]; the zero value selects nothing.
type ReleaseSelector struct{ version, from, to string }

// ReleaseVersion selects the release of a version.
func ReleaseVersion(version string) ReleaseSelector { return ReleaseSelector{version: version} }

// DeltaRelease selects the delta release that updates one version to another.
func DeltaRelease(from, to string) ReleaseSelector { return ReleaseSelector{from: from, to: to} }

func (r ReleaseSelector) isDelta() bool { return r.from != "" || r.to != "" }

func (r ReleaseSelector) isIncomplete() bool {
	return r.version == "" && (r.from == "" || r.to == "")
}

// String returns the version, or both versions of a delta release.
func (r ReleaseSelector) String() string {
	if r.isDelta() {
		return r.from + " to " + r.to
	}
	return r.version
}

// MarshalJSON encodes r as a version, or a delta release as an array of two versions.
func (r ReleaseSelector) MarshalJSON() ([]byte, error) {
	if r.isIncomplete() {
		return nil, invalid("ReleaseSelector must have a version, or both versions of a delta release")
	}
	if r.isDelta() {
		return json.Marshal([2]string{r.from, r.to})
	}
	return json.Marshal(r.version)
}

// releaseTypeDelta is the type of a DeploymentRelease that is a delta.
const releaseTypeDelta = "delta"

// DeploymentRelease is the release, or the delta release, of a deployment.
//
// Memfault sends an object. A version and an array of two versions are decoded as well.
type DeploymentRelease struct {
	Type        string      // "delta", or "normal" or empty
	ID          int64       // 0 for a delta release
	Version     string      // empty for a delta release
	Revision    string      // empty for a delta release
	FromVersion *ReleaseRef // nil unless a delta release
	ToVersion   *ReleaseRef // nil unless a delta release

	form releaseForm
}

// releaseForm is the JSON form from which a DeploymentRelease was decoded.
type releaseForm uint8

const (
	releaseObject releaseForm = iota
	releaseText
	releasePair
)

// IsDelta reports whether r is a delta release.
func (r DeploymentRelease) IsDelta() bool {
	return r.Type == releaseTypeDelta || r.FromVersion != nil || r.ToVersion != nil
}

// deployedObject is the JSON object of a DeploymentRelease.
type deployedObject struct {
	ReleaseRef
	Type        string      `json:"type"`
	FromVersion *ReleaseRef `json:"from_version"`
	ToVersion   *ReleaseRef `json:"to_version"`
}

// UnmarshalJSON decodes an object, a version, or an array of two versions.
func (r *DeploymentRelease) UnmarshalJSON(data []byte) error {
	*r = DeploymentRelease{}
	switch {
	case bytes.HasPrefix(data, []byte(`"`)):
		r.form = releaseText
		return json.Unmarshal(data, &r.Version)
	case bytes.HasPrefix(data, []byte("[")):
		var pair []string
		if err := json.Unmarshal(data, &pair); err != nil {
			return err
		}
		if len(pair) != 2 {
			return fmt.Errorf("memfault: unexpected delta release: got %d versions, want 2", len(pair))
		}
		*r = DeploymentRelease{Type: releaseTypeDelta, FromVersion: &ReleaseRef{Version: pair[0]}, ToVersion: &ReleaseRef{Version: pair[1]}, form: releasePair}
		return nil
	}
	var object deployedObject
	err := json.Unmarshal(data, &object)
	*r = DeploymentRelease{
		Type: object.Type, ID: object.ID, Version: object.Version, Revision: object.Revision,
		FromVersion: object.FromVersion, ToVersion: object.ToVersion,
	}
	return err
}

// MarshalJSON encodes r in the form from which it was decoded.
func (r DeploymentRelease) MarshalJSON() ([]byte, error) {
	switch {
	case r.form == releaseText:
		return json.Marshal(r.Version)
	case r.form == releasePair && r.FromVersion != nil && r.ToVersion != nil:
		return json.Marshal([2]string{r.FromVersion.Version, r.ToVersion.Version})
	default:
		return json.Marshal(deployedObject{ReleaseRef{r.ID, r.Version, r.Revision}, r.Type, r.FromVersion, r.ToVersion})
	}
}

// matches reports whether r is the release that selected selects.
func (r DeploymentRelease) matches(selected ReleaseSelector) bool {
	if !selected.isDelta() {
		return !r.IsDelta() && r.Version == selected.version
	}
	return r.FromVersion != nil && r.FromVersion.Version == selected.from &&
		r.ToVersion != nil && r.ToVersion.Version == selected.to
}

// target returns the version that a device has after the update.
func (r DeploymentRelease) target() string {
	if r.ToVersion != nil {
		return r.ToVersion.Version
	}
	return r.Version
}
