//go:build go1.27 && goexperiment.jsonv2

package memfault

import (
	"encoding/json"
	"encoding/json/jsontext"
	jsonv2 "encoding/json/v2"
	"reflect"
)

// unmarshalNew decodes as json.Unmarshal does, but in one pass. json.Unmarshal needs two,
// because it first checks the whole text, so that an invalid text changes nothing. If one pass
// fails, unmarshalNew calls json.Unmarshal and returns its result.
func unmarshalNew(data []byte, out any) error {
	if jsonv2.Unmarshal(data, out, json.DefaultOptionsV1(), json.ReportErrorsWithLegacySemantics(false)) == nil {
		return nil
	}
	reflect.ValueOf(out).Elem().SetZero()
	return json.Unmarshal(data, out)
}

// UnmarshalJSONFrom decodes an object, or a string with the slug. It exists as of Go 1.27.
func (r *CohortRef) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type object CohortRef
	if r.asText = dec.PeekKind() == '"'; r.asText {
		return jsonv2.UnmarshalDecode(dec, &r.Slug)
	}
	return jsonv2.UnmarshalDecode(dec, (*object)(r))
}

// UnmarshalJSONFrom decodes an object, or a string with the name. It exists as of Go 1.27.
func (r *HardwareVersionRef) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type object HardwareVersionRef
	if r.asText = dec.PeekKind() == '"'; r.asText {
		return jsonv2.UnmarshalDecode(dec, &r.Name)
	}
	return jsonv2.UnmarshalDecode(dec, (*object)(r))
}

// UnmarshalJSONFrom decodes an object with an ID, or a number. It exists as of Go 1.27.
func (f *FleetSamplingConfiguration) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type object FleetSamplingConfiguration
	if f.asNumber = dec.PeekKind() != '{'; f.asNumber {
		return jsonv2.UnmarshalDecode(dec, &f.ID)
	}
	return jsonv2.UnmarshalDecode(dec, (*object)(f))
}
