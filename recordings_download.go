package memfault

import (
	"context"
	"io"

	"github.com/memfault-go/memfault/internal/operation"
)

// Download writes a custom data recording to w. See [DownloadResult] for the rules of all
// downloads.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in programs of a chip maker.
func (s *RecordingsService) Download(ctx context.Context, project ProjectRef, recordingID string, w io.Writer, opts ...CallOption) (*DownloadResult, error) {
	return clientOf(s).saveFile(ctx, operation.CustomDataRecordingsDownload, requestParams{path: project.path(recordingID)}, w, opts)
}
