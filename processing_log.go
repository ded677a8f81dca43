package memfault

import (
	"bytes"
	"encoding/json"

	"github.com/memfault-go/memfault/internal/operation"
)

// ProcessingLogService reads the processing log of a project: what happened while Memfault
// processed the data of its devices. Memfault accepts data with a 202 before it processes the
// data. Data that it drops afterwards is documented to appear only in the processing log.
type ProcessingLogService struct{ client *Client }

// ProcessingLogEntry is an entry of the processing log. Only the field created_date is
// known. UNCERTAIN(processing-log-fields): which other fields Memfault sends. Raw contains them.
type ProcessingLogEntry struct {
	CreatedDate Timestamp
	Raw         json.RawMessage // the whole entry, as Memfault sent it
}

// UnmarshalJSON decodes the known fields and keeps the whole entry in Raw.
func (e *ProcessingLogEntry) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	var known struct {
		CreatedDate Timestamp `json:"created_date"`
	}
	if err := json.Unmarshal(data, &known); err != nil {
		return err
	}
	e.CreatedDate = known.CreatedDate
	e.Raw = bytes.Clone(data)
	return nil
}

// MarshalJSON encodes Raw, or the known fields if Raw is empty.
func (e ProcessingLogEntry) MarshalJSON() ([]byte, error) {
	if len(e.Raw) > 0 {
		return e.Raw, nil
	}
	return json.Marshal(map[string]Timestamp{"created_date": e.CreatedDate})
}

// ProcessingLogLevelError is the only level that was observed.
const ProcessingLogLevelError = "error"

// ProcessingLogListOptions filters the processing log. From Start to End may be 60 days at
// most, and Memfault keeps an entry for 60 days.
type ProcessingLogListOptions struct {
	// Start should be set: every example of Memfault does. UNCERTAIN(processing-log-start):
	// whether it is required.
	Start    Timestamp `url:"start,omitempty"`
	End      Timestamp `url:"end,omitempty"` // by default, the time of the first request
	Level    string    `url:"level,omitempty"`
	PageSize int       `url:"page[size],omitempty"` // entries a page; 100 by default, at most 500
	// After is the cursor of the first page: [Page.Next] of a page that was read before.
	After string `url:"page[after],omitempty"`
}

// List returns the processing log of a project.
//
// The list is paged by cursor: [Pager.Prefetch] has no effect, and [Page.Next] contains the
// cursor of the next page. A program that stores it can continue there with
// [ProcessingLogListOptions.After]. Memfault sends a cursor with every page that contains
// entries, so the last request of a list returns an empty page.
//
// UNCERTAIN(processing-log-order): the order of the entries, and whether Memfault accepts a cursor
// with another Start or End.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api
func (s *ProcessingLogService) List(project ProjectRef, options ProcessingLogListOptions, opts ...CallOption) *Pager[ProcessingLogEntry] {
	return listByCursor[ProcessingLogEntry](clientOf(s), operation.ProcessingLogList, project.path(), options, options.PageSize, opts)
}
