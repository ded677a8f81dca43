package memfault

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/memfault-go/memfault/internal/operation"
)

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
	StartTime       Timestamp // optional
	DurationSeconds int       // duration of the recording
	MIMETypes       []string  // required; the most specific first
	Reason          string    // optional
}

// XEDOptions describes the origin of a dump of a Qualcomm chip.
type XEDOptions struct {
	DeviceSerial    string // required
	HardwareVersion string // required
	TraceAttributes []AttributeValue
}

// SBOM uploads the bill of materials of a software version.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in Memfault's command-line tool.
func (s *UploadsService) SBOM(ctx context.Context, project ProjectRef, file *File, options SBOMOptions, opts ...CallOption) (*UploadResult, error) {
	if err := required("SBOMOptions", "SoftwareType", options.SoftwareType, "SoftwareVersion", options.SoftwareVersion); err != nil {
		return nil, err
	}
	fields := map[string]any{"software_version": options.SoftwareVersion, "software_type": options.SoftwareType}
	return s.send(ctx, project, file, upload{
		projectKeyCommit: operation.UploadCommitSBOM, consoleCommit: operation.UploadCommitSBOM,
		fields: fields,
	}, opts)
}

// Coredump uploads a coredump of Memfault's firmware SDK. If the file does not start like such
// a coredump, Coredump returns an error and sends nothing.
//
// Credentials: [OrganizationToken], [BasicAPIKey], [BasicPassword] or [ProjectKey].
//
// Memfault: https://docs.memfault.com/api/upload
func (s *UploadsService) Coredump(ctx context.Context, project ProjectRef, file *File, options CoredumpOptions, opts ...CallOption) (*UploadResult, error) {
	fields := map[string]any{}
	if options.DeviceSerial != "" {
		fields["device_serial"] = options.DeviceSerial
	}
	return s.send(ctx, project, file, upload{
		projectKeyCommit: operation.UploadCommitCoredump, consoleCommit: operation.UploadCommitCoredumpProject,
		prepare: uploadPrepare{Kind: "COREDUMP"}, check: isCoredump, fields: fields,
	}, opts)
}

// ELFCoredump uploads a coredump as Linux writes it. If the file is not an ELF core file,
// ELFCoredump returns an error and sends nothing.
//
// Credentials: [OrganizationToken], [BasicAPIKey], [BasicPassword] or [ProjectKey].
//
// Not documented by Memfault; observed only in Memfault's command-line tool.
func (s *UploadsService) ELFCoredump(ctx context.Context, project ProjectRef, file *File, options ELFCoredumpOptions, opts ...CallOption) (*UploadResult, error) {
	if err := options.Device.validate("ELFCoredumpOptions"); err != nil {
		return nil, err
	}
	fields := map[string]any{"device": options.Device}
	return s.send(ctx, project, file, upload{
		projectKeyCommit: operation.UploadCommitELFCoredump, consoleCommit: operation.UploadCommitELFCoredumpProject,
		prepare: uploadPrepare{Device: &options.Device}, check: isELFCore, fields: fields,
	}, opts)
}

// BugReport uploads a bug report of Android. If the file is not a zip file, BugReport returns
// an error and sends nothing.
//
// Credentials: [OrganizationToken], [BasicAPIKey], [BasicPassword] or [ProjectKey].
//
// Memfault: https://docs.memfault.com/api/upload
func (s *UploadsService) BugReport(ctx context.Context, project ProjectRef, file *File, _ BugReportOptions, opts ...CallOption) (*UploadResult, error) {
	return s.send(ctx, project, file, upload{
		projectKeyCommit: operation.UploadCommitBugreport, consoleCommit: operation.UploadCommitBugreportProject,
		prepare: uploadPrepare{Kind: "ANDROID_BUG_REPORT"}, check: isZip,
	}, opts)
}

// MAR uploads a Memfault archive. If the file is not a zip file, MAR returns an error and
// sends nothing.
//
// The fields of the device are not in Memfault's documentation, but all programs of Memfault
// send them.
//
// Credentials: [OrganizationToken], [BasicAPIKey], [BasicPassword] or [ProjectKey].
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
	return s.send(ctx, project, file, upload{
		projectKeyCommit: operation.UploadCommitMAR, consoleCommit: operation.UploadCommitMARProject,
		prepare: uploadPrepare{Kind: "MAR", Device: &options.Device}, check: isZip, fields: fields,
	}, opts)
}

// CustomDataRecording uploads data of any type that a device recorded.
//
// A recording of more than 16 MB fails with [ErrTooLarge]. A second recording of a device
// within 24 hours fails with [ErrRateLimited].
//
// Memfault's documentation has another name for the duration than Memfault's command-line
// tool, whose fields are sent. UNCERTAIN(bugreport-fields): whether Memfault accepts both.
//
// Credentials: [OrganizationToken], [BasicAPIKey], [BasicPassword] or [ProjectKey].
//
// Memfault: https://docs.memfault.com/api/upload
func (s *UploadsService) CustomDataRecording(ctx context.Context, project ProjectRef, file *File, options CustomDataRecordingOptions, opts ...CallOption) (*UploadResult, error) {
	if err := options.Device.validate("CustomDataRecordingOptions"); err != nil {
		return nil, err
	}
	switch {
	case len(options.MIMETypes) == 0:
		return nil, invalid("CustomDataRecordingOptions: MIMETypes must not be empty")
	case options.DurationSeconds < 0:
		return nil, invalid("CustomDataRecordingOptions: DurationSeconds must not be negative")
	}
	fields := map[string]any{
		"duration_secs": options.DurationSeconds, "mimetypes": append([]string{}, options.MIMETypes...), "device": options.Device,
	}
	if !options.StartTime.IsZero() {
		fields["start_time"] = options.StartTime
	}
	if options.Reason != "" {
		fields["reason"] = options.Reason
	}
	return s.send(ctx, project, file, upload{
		projectKeyCommit: operation.UploadCommitCustomDataRecording, consoleCommit: operation.UploadCommitCustomDataRecordingProject,
		prepare: uploadPrepare{Device: &options.Device}, fields: fields,
	}, opts)
}

// XED uploads a dump of a Qualcomm chip. The project must have the feature enabled; see
// [Project.QcommEnabled].
//
// Credentials: [OrganizationToken], [BasicAPIKey], [BasicPassword] or [ProjectKey].
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
	return s.send(ctx, project, file, upload{
		projectKeyCommit: operation.UploadCommitXED, consoleCommit: operation.UploadCommitXEDProject,
		fields: fields,
	}, opts)
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

// required returns an error for the first name that is empty or cannot exist. Each name is
// preceded by its field.
func required(options string, fields ...string) error {
	for pair := range slices.Chunk(fields, 2) {
		if field, name := pair[0], pair[1]; name == "" {
			return invalid("%s: %s must not be empty", options, field)
		} else if err := checkName(name); err != nil {
			return invalid("%s: %s %w", options, field, err)
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

// RawCoredump uploads a coredump of Memfault's firmware SDK in one request. Prefer
// [UploadsService.Coredump]: RawCoredump is the older way, which programs on phones still use.
//
// The request is not retried once it may have reached Memfault. If the file does not start
// like such a coredump, RawCoredump returns an error and sends nothing.
//
// Credentials: [ProjectKey].
//
// Memfault: https://docs.memfault.com/api/upload
func (s *UploadsService) RawCoredump(ctx context.Context, file *File, opts ...CallOption) (*UploadResult, error) {
	if err := checkFile(file.within(ctx), isCoredump); err != nil {
		return nil, err
	}
	content := &filePayload{file: file, progress: newCallOptions(opts).progress}
	return singleUpload{operation: operation.UploadCoredumpRawLegacy, contentType: octetStream, content: content}.send(ctx, clientOf(s), opts)
}
