package memfault

import (
	"context"
	"maps"

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
	// IfMissing looks the file up first, and sends nothing if the release has the same file
	// for the hardware version and the software type. For this, the file is read a second time.
	// If the token may only upload, the file is uploaded. A delta payload is always uploaded,
	// because Memfault does not return the files of a delta release.
	IfMissing bool
}

// OTAPayload uploads an update payload. It creates the release and the software version of the
// payload, or adds the payload to them.
//
// The release can already have another file for the hardware version.
// [UploadResult.Previous] contains such files, and a program should not deploy the release then,
// because devices may be offered either. For this, OTAPayload requests the release, unless the
// payload is a delta payload. OTAPayload does not fail if that request does.
//
// Memfault rejects a file whose content it has. If the file is the same payload, for the same
// version, hardware version and software type, [UploadResult.AlreadyUploaded] is true. If that is
// not proven, nothing was uploaded and OTAPayload fails with [ErrConflict], which describes what
// the release has. A delta payload is never proven to be there. A payload of a software type that
// is not the primary one of the hardware version is not either, because the files of a release
// do not contain their type.
// UNCERTAIN(payload-same-content): whether Memfault rejects the same content for another version,
// board or software type. UNCERTAIN(delta-release-files): whether Memfault can return the files of
// a delta release.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in Memfault's command-line tool.
func (s *UploadsService) OTAPayload(ctx context.Context, project ProjectRef, file *File, options OTAPayloadOptions, opts ...CallOption) (*UploadResult, error) {
	if err := required("OTAPayloadOptions", "HardwareVersion", options.HardwareVersion, "SoftwareType", options.SoftwareType, "SoftwareVersion", options.SoftwareVersion); err != nil {
		return nil, err
	}
	kind := upload{
		projectKeyCommit: operation.UploadCommitOTAPayload, consoleCommit: operation.UploadCommitOTAPayload, fields: options.fields(),
	}
	if options.DeltaFrom != "" {
		const unknown = "Memfault does not return the files of a delta release"
		kind.existing = func(context.Context, string) (bool, string, error) { return false, unknown, nil }
		result, err := s.send(ctx, project, file, kind, opts)
		if err == nil {
			result.PreviousUnknown = unknown
		}
		return result, err
	}
	place := &destination{
		client: clientOf(s), project: project, release: options.SoftwareVersion, hardwareVersion: options.HardwareVersion,
		kind: ArtifactTypeFirmware, softwareType: options.SoftwareType, opts: opts,
	}
	kind.existing = place.lookup
	var result *UploadResult
	var err error
	if options.IfMissing {
		result, err = s.uploadedPayload(ctx, project, file, kind)
	}
	if result == nil && err == nil {
		result, err = s.send(ctx, project, file, kind, opts)
	}
	if err != nil {
		return nil, err
	}
	return place.complete(ctx, result), nil
}

// uploadedPayload returns the result for a payload that Memfault has, or nil.
func (s *UploadsService) uploadedPayload(ctx context.Context, project ProjectRef, file *File, kind upload) (*UploadResult, error) {
	if err := s.checkCommit(kind.consoleCommit, project); err != nil {
		return nil, err
	}
	if err := checkFile(file, nil); err != nil {
		return nil, err
	}
	sum, err := md5Of(file)
	if err != nil {
		return nil, err
	}
	if missing, err := kind.existing.missing(ctx, sum); missing || err != nil {
		return nil, err
	}
	return &UploadResult{AlreadyUploaded: true, MD5: sum, Size: file.Size}, nil
}

// fields returns the fields of the third request, except the file.
func (o OTAPayloadOptions) fields() map[string]any {
	version := softwareVersionField(o.SoftwareType, o.SoftwareVersion, o.Revision)
	if o.DeltaFrom != "" {
		version["version"] = []string{o.DeltaFrom, o.SoftwareVersion}
	}
	fields := map[string]any{
		"software_version": version, "hardware_version": o.HardwareVersion,
		"must_pass_through": o.MustPassThrough, "notes": o.Notes,
	}
	if len(o.ExtraInfo) > 0 {
		fields["extra_info"] = maps.Clone(o.ExtraInfo)
	}
	return fields
}
