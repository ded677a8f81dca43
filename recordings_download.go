package memfault

import (
	"context"
	"io"

	"github.com/memfault-go/memfault/internal/operation"
)

// Download writes a custom data recording to w; see DownloadResult for what all downloads
// share. Seen only in a chip maker's programs; not documented by Memfault.
func (s *RecordingsService) Download(ctx context.Context, project ProjectRef, recordingID string, w io.Writer, opts ...CallOption) (*DownloadResult, error) {
	return clientOf(s).saveFile(ctx, operation.CustomDataRecordingsDownload, requestParams{path: project.path(recordingID)}, w, opts)
}
