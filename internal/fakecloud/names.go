package fakecloud

import (
	"encoding/json"
	"regexp"
	"strconv"

	"github.com/memfault-go/memfault/internal/operation"
)

// The documented forms of names. Serials are slugs.
var (
	slugForm    = regexp.MustCompile(`^[-a-zA-Z0-9_]{1,128}$`)
	versionForm = regexp.MustCompile(`^[-a-zA-Z0-9_.+:\\()\[\]/ ]{1,128}$`)
)

// formOf returns the form of the names in a field, or nil.
func formOf(field string) *regexp.Regexp {
	switch field {
	case "device_serial", "slug":
		return slugForm
	case "hardware_version", "software_version", "release_version", "fw_version", "version", "min_version", "current_version":
		return versionForm
	default:
		return nil
	}
}

// checkNames rejects data with a serial, a slug or a version that cannot exist. Of the path it
// checks only the serial of chunks: other paths and all queries name what exists, and anything else
// is not found.
func checkNames(r *request) (reply, bool) {
	if r.op == operation.ChunksUpload && !slugForm.MatchString(r.PathValue("device_serial")) {
		return invalid("device_serial", wrongForm), false
	}
	var body any
	if json.Unmarshal(r.body, &body) != nil {
		return reply{}, true // the handler rejects it, or it is not JSON
	}
	if items, ok := body.([]any); ok {
		for i, item := range items {
			if field := wrongName("", item); field != "" {
				return invalidItem(i, field, wrongForm), false
			}
		}
		return reply{}, true
	}
	if field := wrongName("", body); field != "" {
		return invalid(field, wrongForm), false
	}
	return reply{}, true
}

const wrongForm = "String does not match expected pattern."

// wrongName returns the name of a field that contains a name of a wrong form, or "". Empty names
// are left to the handlers.
func wrongName(field string, value any) string {
	switch value := value.(type) {
	case string:
		if form := formOf(field); form != nil && value != "" && !form.MatchString(value) {
			return field
		}
	case []any:
		if field != "version" { // the two versions of a delta release
			return ""
		}
		for _, item := range value {
			if wrong := wrongName(field, item); wrong != "" {
				return wrong
			}
		}
	case map[string]any:
		if field != "" && field != "device" && field != "software_version" {
			return "" // data of the user
		}
		for name, member := range value {
			if wrong := wrongName(name, member); wrong != "" {
				return wrong
			}
		}
	}
	return ""
}

// invalidItem returns the error of an invalid field of an item of a list.
func invalidItem(index int, field, why string) reply {
	return failure(400, 1000, "InvalidUsageError", object{strconv.Itoa(index): object{field: []string{why}}})
}
