package memfault

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/memfault-go/memfault/internal/operation"
)

// Memfault documents which characters a serial, a slug and a version may contain. Its rules have
// become looser over time, so that only names are rejected here that no rule can mean: names with
// white space at an end, such as a version that was read from a file together with its line
// break, names with control characters, and names that are not valid UTF-8.
func checkName(value string) error {
	first, _ := utf8.DecodeRuneInString(value)
	last, _ := utf8.DecodeLastRuneInString(value)
	switch {
	case !utf8.ValidString(value):
		return errors.New("must be valid UTF-8")
	case unicode.IsSpace(first) || unicode.IsSpace(last):
		return fmt.Errorf("must not begin or end with white space: %q", oneLine(value, 80))
	case strings.ContainsFunc(value, unicode.IsControl):
		return fmt.Errorf("must not contain a control character: %q", oneLine(value, 80))
	default:
		return nil
	}
}

// nameParameters are the query parameters that contain a serial, a slug or a version.
var nameParameters = []string{
	"device_serial", "hardware_version", "software_type", "current_version", "cohort", "release", "device", "version", "delta_from", "delta_to",
}

// checkNamesInQuery checks the names in the query of an operation.
func checkNamesInQuery(op *operation.Operation, query url.Values) error {
	for _, parameter := range nameParameters {
		for _, value := range query[parameter] {
			if err := checkName(value); err != nil {
				return invalid("%s: %s %w", op.Name, parameter, err)
			}
		}
	}
	return nil
}

// namesInBody are the names in the body of an operation. A value that is a name in one operation
// can be something else in another, but then it is not a string.
type namesInBody struct {
	Serial              any `json:"device_serial"`
	HardwareVersion     any `json:"hardware_version"`
	SoftwareType        any `json:"software_type"`
	PrimarySoftwareType any `json:"primary_software_type"`
	SoftwareVersion     any `json:"software_version"` // a version, or an object with one
	ReleaseVersion      any `json:"release_version"`
	FWVersion           any `json:"fw_version"`
	Version             any `json:"version"` // a version, or the two of a delta release
	MinVersion          any `json:"min_version"`
	Release             any `json:"release"` // like Version
	Cohort              any `json:"cohort"`
	Slug                any `json:"slug"`
	Device              any `json:"device"` // an object with names
}

// checkNamesInBody checks the names in the JSON body of an operation: an object or a list. A body
// that is not JSON has no names.
func checkNamesInBody(body []byte) error {
	var items []namesInBody
	if json.Unmarshal(body, &items) != nil {
		items = make([]namesInBody, 1)
		if json.Unmarshal(body, &items[0]) != nil {
			return nil // without names
		}
	}
	for i, names := range items {
		for _, field := range []struct {
			name  string
			value any
		}{
			{"device_serial", names.Serial},
			{"hardware_version", names.HardwareVersion},
			{"software_type", names.SoftwareType},
			{"primary_software_type", names.PrimarySoftwareType},
			{"software_version", names.SoftwareVersion},
			{"release_version", names.ReleaseVersion},
			{"fw_version", names.FWVersion},
			{"version", names.Version},
			{"min_version", names.MinVersion},
			{"release", names.Release},
			{"cohort", names.Cohort},
			{"slug", names.Slug},
			{"device", names.Device},
		} {
			if err := checkNamesIn(field.value); err != nil {
				part := ""
				if len(items) > 1 {
					part = fmt.Sprintf("item %d: ", i)
				}
				return fmt.Errorf("%s%s %w", part, field.name, err)
			}
		}
	}
	return nil
}

// checkNamesIn checks a name, a list of names, or the members of an object with names.
func checkNamesIn(value any) error {
	switch value := value.(type) {
	case string:
		return checkName(value)
	case []any:
		for _, item := range value {
			if err := checkNamesIn(item); err != nil {
				return err
			}
		}
	case map[string]any:
		for name, member := range value {
			if err := checkNamesIn(member); err != nil {
				return fmt.Errorf("%s %w", name, err)
			}
		}
	}
	return nil
}
