package memfault

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/memfault-go/memfault/internal/operation"
)

// OTAPayloadOptions describes the software and the hardware of a payload.
type OTAPayloadOptions struct {
	HardwareVersion string // required
	SoftwareType    string // required
	SoftwareVersion string // required; the version after the update
	DeltaFrom       string // if set, a delta payload for this version
	Revision        string // such as the commit of the build
	Notes           string
	MustPassThrough bool // devices must not skip it
	ExtraInfo       map[string]string
}

// SBOMOptions identifies the software version of a bill of materials.
type SBOMOptions struct {
	SoftwareType    string // required
	SoftwareVersion string // required
}

// CoredumpOptions describes the origin of a coredump.
type CoredumpOptions struct {
	DeviceSerial string // optional; a coredump identifies its device
}

// ELFCoredumpOptions describes the origin of a coredump of Linux.
type ELFCoredumpOptions struct {
	Device DeviceIdentity
}

// BugReportOptions has no fields yet, because a bug report identifies its device.
type BugReportOptions struct{}

// MAROptions describes the origin of an archive.
type MAROptions struct {
	Device DeviceIdentity
}

// CustomDataRecordingOptions describes a recording.
type CustomDataRecordingOptions struct {
	Device          DeviceIdentity
	StartTime       Timestamp // required
	DurationSeconds int       // duration of the recording
	MIMETypes       []string  // required; the most specific first
	Reason          string    // reason for the recording
}

// XEDOptions describes the origin of a dump of a Qualcomm chip.
type XEDOptions struct {
	DeviceSerial    string // required
	HardwareVersion string // required
	TraceAttributes []AttributeValue
}

// OTAPayload uploads an update payload. It creates the release and the software version of the
// payload, or adds the payload to them. It does not accept a [ProjectKey].
//
// Not documented by Memfault; observed only in Memfault's command-line tool.
func (s *UploadsService) OTAPayload(ctx context.Context, project ProjectRef, file *File, options OTAPayloadOptions, opts ...CallOption) (*UploadResult, error) {
	if err := required("OTAPayloadOptions", "HardwareVersion", options.HardwareVersion, "SoftwareType", options.SoftwareType, "SoftwareVersion", options.SoftwareVersion); err != nil {
		return nil, err
	}
	version := softwareVersionField(options.SoftwareType, options.SoftwareVersion, options.Revision)
	if options.DeltaFrom != "" {
		version["version"] = []string{options.DeltaFrom, options.SoftwareVersion}
	}
	fields := map[string]any{
		"software_version": version, "hardware_version": options.HardwareVersion,
		"must_pass_through": options.MustPassThrough, "notes": options.Notes,
	}
	if len(options.ExtraInfo) > 0 {
		fields["extra_info"] = maps.Clone(options.ExtraInfo)
	}
	return s.send(ctx, project, file, upload{projectKeyCommit: operation.UploadCommitOTAPayload, consoleCommit: operation.UploadCommitOTAPayload, fields: fields}, opts)
}

// SBOM uploads the bill of materials of a software version. It does not accept a [ProjectKey].
//
// Not documented by Memfault; observed only in Memfault's command-line tool.
func (s *UploadsService) SBOM(ctx context.Context, project ProjectRef, file *File, options SBOMOptions, opts ...CallOption) (*UploadResult, error) {
	if err := required("SBOMOptions", "SoftwareType", options.SoftwareType, "SoftwareVersion", options.SoftwareVersion); err != nil {
		return nil, err
	}
	fields := map[string]any{"software_version": options.SoftwareVersion, "software_type": options.SoftwareType}
	return s.send(ctx, project, file, upload{projectKeyCommit: operation.UploadCommitSBOM, consoleCommit: operation.UploadCommitSBOM, fields: fields}, opts)
}

// Coredump uploads a coredump of Memfault's firmware SDK. If the file does not start like such
// a coredump, Coredump returns an error and sends nothing.
//
// Memfault: https://docs.memfault.com/api/upload
func (s *UploadsService) Coredump(ctx context.Context, project ProjectRef, file *File, options CoredumpOptions, opts ...CallOption) (*UploadResult, error) {
	fields := map[string]any{}
	if options.DeviceSerial != "" {
		fields["device_serial"] = options.DeviceSerial
	}
	return s.send(ctx, project, file, upload{operation.UploadCommitCoredump, operation.UploadCommitCoredumpProject, isCoredump, fields}, opts)
}

// ELFCoredump uploads a coredump as Linux writes it. If the file is not an ELF core file,
// ELFCoredump returns an error and sends nothing.
//
// Not documented by Memfault; observed only in Memfault's command-line tool.
func (s *UploadsService) ELFCoredump(ctx context.Context, project ProjectRef, file *File, options ELFCoredumpOptions, opts ...CallOption) (*UploadResult, error) {
	if err := options.Device.validate("ELFCoredumpOptions"); err != nil {
		return nil, err
	}
	fields := map[string]any{"device": options.Device}
	return s.send(ctx, project, file, upload{operation.UploadCommitELFCoredump, operation.UploadCommitELFCoredumpProject, isELFCore, fields}, opts)
}

// BugReport uploads a bug report of Android. If the file is not a zip file, BugReport returns
// an error and sends nothing.
//
// Memfault: https://docs.memfault.com/api/upload
func (s *UploadsService) BugReport(ctx context.Context, project ProjectRef, file *File, _ BugReportOptions, opts ...CallOption) (*UploadResult, error) {
	return s.send(ctx, project, file, upload{operation.UploadCommitBugreport, operation.UploadCommitBugreportProject, isZip, nil}, opts)
}

// MAR uploads a Memfault archive. If the file is not a zip file, MAR returns an error and
// sends nothing.
//
// The fields of the device are not in Memfault's documentation, but all programs of Memfault
// send them.
//
// Memfault: https://docs.memfault.com/api/upload
func (s *UploadsService) MAR(ctx context.Context, project ProjectRef, file *File, options MAROptions, opts ...CallOption) (*UploadResult, error) {
	if err := options.Device.validate("MAROptions"); err != nil {
		return nil, err
	}
	fields := map[string]any{
		"device_serial": options.Device.DeviceSerial, "hardware_version": options.Device.HardwareVersion,
		"software_version": options.Device.SoftwareVersion,
	}
	if options.Device.SoftwareType != "" {
		fields["software_type"] = options.Device.SoftwareType
	}
	return s.send(ctx, project, file, upload{operation.UploadCommitMAR, operation.UploadCommitMARProject, isZip, fields}, opts)
}

// CustomDataRecording uploads data of any type that a device recorded.
//
// A recording of more than 16 MB fails with [ErrTooLarge]. A second recording of a device
// within 24 hours fails with [ErrRateLimited].
//
// Memfault's documentation has another name for the duration than Memfault's command-line
// tool, whose fields are sent. UNCERTAIN: whether Memfault accepts both.
//
// Memfault: https://docs.memfault.com/api/upload
func (s *UploadsService) CustomDataRecording(ctx context.Context, project ProjectRef, file *File, options CustomDataRecordingOptions, opts ...CallOption) (*UploadResult, error) {
	if err := options.Device.validate("CustomDataRecordingOptions"); err != nil {
		return nil, err
	}
	switch {
	case options.StartTime.IsZero():
		return nil, invalid("CustomDataRecordingOptions: StartTime must not be zero")
	case len(options.MIMETypes) == 0:
		return nil, invalid("CustomDataRecordingOptions: MIMETypes must not be empty")
	case options.DurationSeconds < 0:
		return nil, invalid("CustomDataRecordingOptions: DurationSeconds must not be negative")
	}
	fields := map[string]any{
		"start_time": options.StartTime, "duration_secs": options.DurationSeconds, "mimetypes": append([]string{}, options.MIMETypes...),
		"reason": options.Reason, "device": options.Device,
	}
	return s.send(ctx, project, file, upload{operation.UploadCommitCustomDataRecording, operation.UploadCommitCustomDataRecordingProject, nil, fields}, opts)
}

// XED uploads a dump of a Qualcomm chip. The project must have the feature enabled; see
// [Project.QcommEnabled].
//
// Not documented by Memfault; observed only in Memfault's command-line tool.
func (s *UploadsService) XED(ctx context.Context, project ProjectRef, file *File, options XEDOptions, opts ...CallOption) (*UploadResult, error) {
	if err := required("XEDOptions", "DeviceSerial", options.DeviceSerial, "HardwareVersion", options.HardwareVersion); err != nil {
		return nil, err
	}
	fields := map[string]any{
		"device_serial": options.DeviceSerial, "hardware_version": options.HardwareVersion,
		"trace_attributes": append([]AttributeValue{}, options.TraceAttributes...),
	}
	return s.send(ctx, project, file, upload{operation.UploadCommitXED, operation.UploadCommitXEDProject, nil, fields}, opts)
}

// softwareVersionField returns the software version in the form that symbols and payloads use.
func softwareVersionField(softwareType, version, revision string) map[string]any {
	field := map[string]any{"version": version, "software_type": softwareType}
	if revision != "" {
		field["revision"] = revision
	}
	return field
}

func (d *DeviceIdentity) validate(options string) error {
	return required(options, "Device.DeviceSerial", d.DeviceSerial, "Device.HardwareVersion", d.HardwareVersion, "Device.SoftwareVersion", d.SoftwareVersion)
}

// required returns an error for the first empty field. Each field is preceded by its name.
func required(options string, fields ...string) error {
	for pair := range slices.Chunk(fields, 2) {
		if name, value := pair[0], pair[1]; value == "" {
			return invalid("%s: %s must not be empty", options, name)
		}
	}
	return nil
}

func isCoredump(start []byte) error {
	if !bytes.HasPrefix(start, []byte("CORE")) {
		return errors.New("not a coredump of Memfault's firmware SDK")
	}
	return nil
}

func isZip(start []byte) error {
	if !bytes.HasPrefix(start, []byte("PK\x03\x04")) {
		return errors.New("not a zip file")
	}
	return nil
}

func isELFCore(start []byte) error {
	if !bytes.HasPrefix(start, []byte(elf.ELFMAG)) || len(start) < 18 {
		return errors.New("not an ELF file")
	}
	var order binary.ByteOrder = binary.LittleEndian
	if elf.Data(start[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	if kind := elf.Type(order.Uint16(start[16:])); kind != elf.ET_CORE {
		return fmt.Errorf("unexpected ELF type %s, want %s", kind, elf.ET_CORE)
	}
	return nil
}
