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

// OTAPayloadOptions says what a payload installs, and on what.
type OTAPayloadOptions struct {
	HardwareVersion string // required
	SoftwareType    string // required
	SoftwareVersion string // required; the version after the update
	DeltaFrom       string // set, the payload is a delta, for devices with this version
	Revision        string // such as the commit that it was built from
	Notes           string
	MustPassThrough bool // whether devices have to install it on their way to a later one
	ExtraInfo       map[string]string
}

// SBOMOptions says whose bill of materials a file is.
type SBOMOptions struct {
	SoftwareType    string // required
	SoftwareVersion string // required
}

// CoredumpOptions says where a coredump comes from.
type CoredumpOptions struct {
	DeviceSerial string // optional: a coredump tells its device
}

// ELFCoredumpOptions says where a coredump of Linux comes from.
type ELFCoredumpOptions struct {
	Device DeviceIdentity
}

// BugReportOptions has no fields yet: a bug report tells its device.
type BugReportOptions struct{}

// MAROptions says where an archive comes from.
type MAROptions struct {
	Device DeviceIdentity
}

// CustomDataRecordingOptions says what a recording holds.
type CustomDataRecordingOptions struct {
	Device          DeviceIdentity
	StartTime       Timestamp // required
	DurationSeconds int       // how long it lasted, in seconds
	MIMETypes       []string  // required; of the content, the outermost first
	Reason          string    // why it was made
}

// XEDOptions says where a dump of a Qualcomm chip comes from.
type XEDOptions struct {
	DeviceSerial    string // required
	HardwareVersion string // required
	TraceAttributes []AttributeValue
}

// OTAPayload uploads what devices install, and so makes the release and the software
// version that it is of, or adds to them. It takes no ProjectKey. Seen only in
// Memfault's own command-line tool; not documented by Memfault.
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

// SBOM uploads the bill of materials of a software version. It takes no ProjectKey.
// Seen only in Memfault's own command-line tool; not documented by Memfault.
func (s *UploadsService) SBOM(ctx context.Context, project ProjectRef, file *File, options SBOMOptions, opts ...CallOption) (*UploadResult, error) {
	if err := required("SBOMOptions", "SoftwareType", options.SoftwareType, "SoftwareVersion", options.SoftwareVersion); err != nil {
		return nil, err
	}
	fields := map[string]any{"software_version": options.SoftwareVersion, "software_type": options.SoftwareType}
	return s.send(ctx, project, file, upload{projectKeyCommit: operation.UploadCommitSBOM, consoleCommit: operation.UploadCommitSBOM, fields: fields}, opts)
}

// Coredump uploads a coredump of Memfault's firmware SDK. A file that does not begin
// as one is refused before anything is sent.
//
// Memfault: https://docs.memfault.com/api/upload
func (s *UploadsService) Coredump(ctx context.Context, project ProjectRef, file *File, options CoredumpOptions, opts ...CallOption) (*UploadResult, error) {
	fields := map[string]any{}
	if options.DeviceSerial != "" {
		fields["device_serial"] = options.DeviceSerial
	}
	return s.send(ctx, project, file, upload{operation.UploadCommitCoredump, operation.UploadCommitCoredumpProject, isCoredump, fields}, opts)
}

// ELFCoredump uploads a coredump as Linux writes it. A file that is not an ELF core
// is refused before anything is sent. Seen only in Memfault's own command-line tool;
// not documented by Memfault.
func (s *UploadsService) ELFCoredump(ctx context.Context, project ProjectRef, file *File, options ELFCoredumpOptions, opts ...CallOption) (*UploadResult, error) {
	if err := options.Device.validate("ELFCoredumpOptions"); err != nil {
		return nil, err
	}
	fields := map[string]any{"device": options.Device}
	return s.send(ctx, project, file, upload{operation.UploadCommitELFCoredump, operation.UploadCommitELFCoredumpProject, isELFCore, fields}, opts)
}

// BugReport uploads a bug report of Android, which is a zip file; any other is
// refused before anything is sent.
//
// Memfault: https://docs.memfault.com/api/upload
func (s *UploadsService) BugReport(ctx context.Context, project ProjectRef, file *File, _ BugReportOptions, opts ...CallOption) (*UploadResult, error) {
	return s.send(ctx, project, file, upload{operation.UploadCommitBugreport, operation.UploadCommitBugreportProject, isZip, nil}, opts)
}

// MAR uploads a Memfault archive, which is a zip file; any other is refused before
// anything is sent. The device is not in Memfault's documents, but each program of
// Memfault's own sends it.
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

// CustomDataRecording uploads data of any kind that a device recorded: at most 16 MB,
// and one a day from each device, above which it is ErrRateLimited. Memfault's
// documents name the duration otherwise than Memfault's own command-line tool, whose
// fields are sent; UNCERTAIN.
//
// Memfault: https://docs.memfault.com/api/upload
func (s *UploadsService) CustomDataRecording(ctx context.Context, project ProjectRef, file *File, options CustomDataRecordingOptions, opts ...CallOption) (*UploadResult, error) {
	if err := options.Device.validate("CustomDataRecordingOptions"); err != nil {
		return nil, err
	}
	if options.StartTime.IsZero() || len(options.MIMETypes) == 0 || options.DurationSeconds < 0 {
		return nil, invalid("CustomDataRecordingOptions: StartTime or MIMETypes is not set, or DurationSecs is negative")
	}
	fields := map[string]any{
		"start_time": options.StartTime, "duration_secs": options.DurationSeconds, "mimetypes": append([]string{}, options.MIMETypes...),
		"reason": options.Reason, "device": options.Device,
	}
	return s.send(ctx, project, file, upload{operation.UploadCommitCustomDataRecording, operation.UploadCommitCustomDataRecordingProject, nil, fields}, opts)
}

// XED uploads a dump of a Qualcomm chip; the project needs that to be enabled. Seen
// only in Memfault's own command-line tool; not documented by Memfault.
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

// softwareVersionField is the form in which symbols and payloads name their version.
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
		return errors.New("it does not begin as a coredump of Memfault's firmware SDK")
	}
	return nil
}

func isZip(start []byte) error {
	if !bytes.HasPrefix(start, []byte("PK\x03\x04")) {
		return errors.New("it does not begin as a zip file")
	}
	return nil
}

func isELFCore(start []byte) error {
	if !bytes.HasPrefix(start, []byte(elf.ELFMAG)) || len(start) < 18 {
		return errors.New("it does not begin as an ELF file")
	}
	var order binary.ByteOrder = binary.LittleEndian
	if elf.Data(start[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	if kind := elf.Type(order.Uint16(start[16:])); kind != elf.ET_CORE {
		return fmt.Errorf("it is an ELF file of type %s, not %s", kind, elf.ET_CORE)
	}
	return nil
}
