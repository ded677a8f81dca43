package memfaulttest

import (
	"time"

	"github.com/memfault-go/memfault/internal/fakecloud"
)

// Release is a release of the project.
type Release struct {
	Version         string // required
	DeltaFrom       string // if set, the release is a delta release from this version
	Revision        string
	Notes           string
	SoftwareType    string // "main" by default; must exist
	MustPassThrough bool
	Artifacts       []Artifact
}

// Artifact is a file of a [Release]. It can be downloaded.
type Artifact struct {
	HardwareVersion string // "evt-1" by default; must exist
	Type            string // "firmware", the default, or "symbols"
	BuildID         string
	Filename        string // "firmware.bin" by default
	Content         []byte
}

// AddReleases adds releases. The artifacts of a version that exists are added to it. For a
// delta release, both versions are created if they do not exist, as by an upload. A device is
// offered a release only if it is deployed to its cohort; see [Server.AddDeployments].
func (s *Server) AddReleases(releases ...Release) {
	for _, r := range releases {
		s.cloud.AddRelease(fakecloud.Release{
			Version: r.Version, DeltaFrom: r.DeltaFrom, Revision: r.Revision, Notes: r.Notes,
			SoftwareType: r.SoftwareType, MustPassThrough: r.MustPassThrough,
			Artifacts: convert(r.Artifacts, func(a Artifact) fakecloud.Artifact { return fakecloud.Artifact(a) }),
		})
	}
}

// Deployment is a deployment of a release to a cohort.
type Deployment struct {
	Release        string // required; the version of a release that exists
	Cohort         string // slug; "default" by default; must exist
	Status         string // "done", or "in_progress" for a staged rollout, by default
	DeltaFrom      string // if set, the delta release from this version is deployed; must exist
	RolloutPercent int    // if set, the deployment is a staged rollout
}

// AddDeployments adds deployments and returns their IDs. Add the releases before, see
// [Server.AddReleases].
func (s *Server) AddDeployments(deployments ...Deployment) []int64 {
	return s.cloud.AddDeployments(convert(deployments, func(d Deployment) fakecloud.Deployment { return fakecloud.Deployment(d) })...)
}

// Install is the installation of a release on a device.
type Install struct {
	Serial  string // required
	Version string // required; the version of a release that exists
	Status  string // "success" by default
	Began   time.Time
	Ended   time.Time
}

// AddInstalls adds installs. A device that does not exist is created.
func (s *Server) AddInstalls(installs ...Install) {
	s.cloud.AddInstalls(convert(installs, func(i Install) fakecloud.Install { return fakecloud.Install(i) })...)
}

// SetRolloutDevices sets a function that decides which devices of its cohort a staged rollout
// reaches, for tests that need certain devices:
//
//	cloud.SetRolloutDevices(func(serial string, percent int) bool {
//		return serial == "ABCD1234" || percent >= 50
//	})
//
// By default, and with nil, the choice is random, as that of Memfault: a rollout reaches about its
// percentage of the devices, and a device that it reaches stays reached when the percentage
// rises. The function is not called for 0 % and 100 %. It must not call methods of the Server.
func (s *Server) SetRolloutDevices(reaches func(serial string, percent int) bool) {
	s.cloud.SetRolloutDevices(reaches)
}

// RateLimitLatest rate-limits the requests of a device for its latest release. Memfault is
// known to respond to them as if there were no update, with the reason in a header.
func (s *Server) RateLimitLatest(serial string) { s.cloud.RateLimitLatest(serial) }

// Upload is a file that the server accepted.
type Upload struct {
	// Kind is what the file was uploaded as: symbols, ota_payload, sbom, coredump,
	// elf_coredump, bugreport, mar, custom_data_recording, xed, coredump_raw, symbols_legacy,
	// artifact or trace_import.
	Kind        string
	Name        string
	Size        int64
	MD5         string // in hexadecimal
	ContentType string
	Start       []byte         // at most the first 1 MiB
	Commit      map[string]any // the JSON or the form that describes the file
}

// Uploads returns the files that the server accepted, in order.
func (s *Server) Uploads() []Upload {
	return convert(s.cloud.Uploads(), func(u fakecloud.Upload) Upload {
		return Upload{u.Kind, u.Name, u.Size, u.MD5, u.ContentType, u.Start, u.Commit}
	})
}

// SetMaxUpload sets the size in bytes above which the server rejects an uploaded file. By
// default there is no limit.
func (s *Server) SetMaxUpload(maxBytes int64) { s.cloud.SetMaxUpload(maxBytes) }

// AcceptEqualFiles makes the server accept a file whose content it has for another software
// version or hardware version, for example one payload for two boards. By default, it rejects
// such a file. UNCERTAIN(payload-other-board): which of the two Memfault does.
func (s *Server) AcceptEqualFiles() { s.cloud.AcceptEqualFiles() }
