package memfault

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
)

// ItemError describes why the API rejected one item of a list in the request.
type ItemError struct {
	Index    int    // of the item; -1 if the API named none
	Field    string // path, such as event_info.metrics.uptime_s.value; can be empty
	Problems []string
}

// ItemErrors returns the problems in Details, sorted by item and field. It is empty if the
// API's message is not an object.
func (e *Error) ItemErrors() []ItemError {
	var details any
	if json.Unmarshal(e.Details, &details) != nil {
		return nil
	}
	var found itemErrors
	members, ok := details.(map[string]any)
	if !ok {
		found.collect(-1, "", details)
	}
	for key, value := range members {
		if index, err := strconv.Atoi(key); err == nil && strconv.Itoa(max(index, 0)) == key {
			found.collect(index, "", value)
		} else {
			found.collect(-1, key, value)
		}
	}
	slices.SortFunc(found, func(a, b ItemError) int {
		return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(a.Field, b.Field), slices.Compare(a.Problems, b.Problems))
	})
	return found
}

type itemErrors []ItemError

// collect adds the texts of a value as the problems of its field, and descends into objects.
func (found *itemErrors) collect(index int, field string, value any) {
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			found.collect(index, below(field, key), inner)
		}
	case []any:
		var problems []string
		for i, inner := range value {
			switch inner := inner.(type) {
			case map[string]any, []any:
				found.collect(index, below(field, strconv.Itoa(i)), inner)
			default:
				problems = append(problems, problem(inner))
			}
		}
		if problems != nil {
			*found = append(*found, ItemError{index, field, problems})
		}
	default:
		*found = append(*found, ItemError{index, field, []string{problem(value)}})
	}
}

func below(field, key string) string {
	if field == "" {
		return key
	}
	return field + "." + key
}

func problem(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	text, _ := json.Marshal(value) // was read from JSON
	return string(text)
}
