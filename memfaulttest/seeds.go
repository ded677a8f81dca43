package memfaulttest

import (
	"time"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/fakecloud"
)

// SeedFleet adds n devices with the serials SINK-0001, SINK-0002 and so on. They belong to
// the cohorts "default", "internal" and "beta", have one of two hardware versions and one of
// five software versions, attributes, log files, and reboots of the last days. The fleet is
// the same each time, relative to the clock of the server. Devices that exist stay.
func (s *Server) SeedFleet(n int) { s.cloud.SeedFleet(n) }

// SeedDemo adds the data of a demonstration, except devices: releases with artifacts,
// deployments, issues with traces, a coredump with its symbols, a report, log files with
// lines, recordings, installs, alerts, custom metrics and events. It expects a fleet, see
// [Server.SeedFleet].
func (s *Server) SeedDemo() { s.cloud.SeedDemo() }

// Device is a device of the project.
type Device struct {
	Serial          string // required
	HardwareVersion string // "evt-1" by default; must exist
	Cohort          string // slug; "default" by default; must exist
	SoftwareType    string // "main" by default; must exist
	SoftwareVersion string // last reported; none by default
	Nickname        string
	Description     string
	OwnerRef        string
	FirstSeen       time.Time // LastSeen by default
	LastSeen        time.Time // never by default
	Attributes      map[string]any
	Reboots         []Reboot
	LogFiles        []LogFile
}

// Reboot is a reboot of a [Device].
type Reboot struct {
	Reason memfault.RebootReason
	Time   time.Time
}

func (r Reboot) seed() fakecloud.Reboot { return fakecloud.Reboot{Reason: int(r.Reason), Time: r.Time} }

// LogFile is a log file of a [Device].
type LogFile struct {
	ID      string // the API calls it cid
	Content []byte // lines, or a gzip file
}

// AddDevices adds devices. A device with the serial of an existing one replaces it.
//
// The cohort must exist, see [Server.AddCohorts], and so must the hardware version, see
// [Server.AddHardwareVersions], and the software type, see [Server.AddSoftwareVersions]. The
// software version need not exist: it becomes known, as when a device reports it.
func (s *Server) AddDevices(devices ...Device) {
	for _, d := range devices {
		s.cloud.AddDevices(fakecloud.Device{
			Serial: d.Serial, HardwareVersion: d.HardwareVersion, Cohort: d.Cohort,
			SoftwareType: d.SoftwareType, SoftwareVersion: d.SoftwareVersion,
			Nickname: d.Nickname, Description: d.Description, OwnerRef: d.OwnerRef,
			FirstSeen: d.FirstSeen, LastSeen: d.LastSeen, Attributes: d.Attributes,
			Reboots:  convert(d.Reboots, Reboot.seed),
			LogFiles: convert(d.LogFiles, func(f LogFile) fakecloud.LogFile { return fakecloud.LogFile(f) }),
		})
	}
}

// Report makes a device report its software version, as after an update: the device has
// that version from now on, and was seen now. An unknown device is created.
func (s *Server) Report(serial, version string) { s.cloud.ReportSoftwareVersion(serial, version) }

// InstallOffers makes all devices install what they are offered, as
// [memfault.ReleasesService.Latest] would return it, and report its version; see [Server.Report].
// It returns the number of devices that have another version now. A call is one step: a device
// that must pass through a release needs several.
//
// Devices without a hardware version, of which only chunks without one have arrived, are offered
// nothing, and neither are those of [Server.RateLimitLatest].
func (s *Server) InstallOffers() (updated int) { return s.cloud.InstallOffers() }

// AddReboots adds reboots of a device. An unknown device is created.
func (s *Server) AddReboots(serial string, reboots ...Reboot) {
	s.cloud.AddReboots(serial, convert(reboots, Reboot.seed)...)
}

// SetLogFile adds a log file to a device, or replaces its content. An unknown device is
// created.
func (s *Server) SetLogFile(serial, id string, content []byte) {
	s.cloud.SetLogFile(serial, id, content)
}

// Cohort is a cohort of the project.
type Cohort struct {
	Slug string // required
	Name string // Slug by default
	// BypassVersionChecks also offers the devices of the cohort versions that are not newer
	// than theirs.
	BypassVersionChecks bool
}

// AddCohorts adds cohorts.
func (s *Server) AddCohorts(cohorts ...Cohort) {
	s.cloud.AddCohorts(convert(cohorts, func(c Cohort) fakecloud.Cohort { return fakecloud.Cohort(c) })...)
}

// HardwareVersion is a hardware version of the project.
type HardwareVersion struct {
	Name                string // required
	PrimarySoftwareType string // "main" by default; created if it does not exist
}

// AddHardwareVersions adds hardware versions.
func (s *Server) AddHardwareVersions(versions ...HardwareVersion) {
	s.cloud.AddHardwareVersions(convert(versions, func(v HardwareVersion) fakecloud.HardwareVersion { return fakecloud.HardwareVersion(v) })...)
}

// SoftwareVersion is a software version of the project.
type SoftwareVersion struct {
	SoftwareType string // "main" by default; created if it does not exist
	Version      string // required
	Symbols      bool   // whether it has symbols
}

// AddSoftwareVersions adds software versions.
func (s *Server) AddSoftwareVersions(versions ...SoftwareVersion) {
	s.cloud.AddSoftwareVersions(convert(versions, func(v SoftwareVersion) fakecloud.SoftwareVersion { return fakecloud.SoftwareVersion(v) })...)
}

// AddBuildID adds the build ID of symbols that Memfault has, in lowercase hexadecimal.
func (s *Server) AddBuildID(id string) { s.cloud.AddBuildID(id) }

// AddOrganization adds an organization with one project. Both have the given slug. It
// returns the token of the organization.
func (s *Server) AddOrganization(slug string) (token string) { return s.cloud.AddOrganization(slug) }

// convert converts the elements of a slice. It returns nil for an empty slice.
func convert[From, To any](items []From, to func(From) To) []To {
	var converted []To
	for _, item := range items {
		converted = append(converted, to(item))
	}
	return converted
}
