package memfault

import (
	"context"

	"github.com/memfault-go/memfault/internal/operation"
)

// RawCoredumpOptions has no fields yet: a coredump tells its device.
type RawCoredumpOptions struct{}

// RawCoredump uploads a coredump of Memfault's firmware SDK in one request, which is
// sent once. It needs a ProjectKey. Coredump is the way of today; programs on phones
// still go this one. A file that does not begin as a coredump is refused before
// anything is sent.
//
// Memfault: https://docs.memfault.com/api/upload
func (s *UploadsService) RawCoredump(ctx context.Context, file *File, _ RawCoredumpOptions, opts ...CallOption) (*UploadResult, error) {
	if err := checkFile(file, isCoredump); err != nil {
		return nil, err
	}
	content := &filePayload{file: file, progress: newCallOptions(opts).progress}
	return uploadInOneRequest(ctx, clientOf(s), operation.UploadCoredumpRawLegacy, nil, octetStream, content, opts)
}
