package memfault

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/memfault-go/memfault/internal/operation"
)

// DeviceAttribute is an attribute of a project and its state on one device.
type DeviceAttribute struct {
	CustomMetric CustomMetric    `json:"custom_metric"`
	State        *AttributeState `json:"state"` // nil if the device never set it

	form attributeForm
}

// attributeForm describes where the JSON of a DeviceAttribute had its metric and its key.
type attributeForm uint8

const (
	metricInCustomMetric attributeForm = 1 << iota
	metricInMetricConfig
	keyAtTop
)

// attributeObject is the JSON object of a DeviceAttribute in all its forms.
type attributeObject struct {
	CustomMetric *CustomMetric   `json:"custom_metric"`
	MetricConfig *CustomMetric   `json:"metric_config,omitempty"`
	StringKey    *string         `json:"string_key,omitempty"`
	State        *AttributeState `json:"state"`
}

// CustomMetric is the definition of an attribute or a metric.
type CustomMetric struct {
	ID                     string       `json:"id"` // a UUID
	StringKey              string       `json:"string_key"`
	DataType               DataType     `json:"data_type"`
	DisplayName            string       `json:"display_name"`
	Description            string       `json:"description"`
	Favorite               bool         `json:"favorite"`
	DeviceWritePolicy      string       `json:"device_write_policy"`      // "writable" was observed
	RangeViolationBehavior string       `json:"range_violation_behavior"` // "accept" was observed
	Range                  *MetricRange `json:"range"`
}

// DataType is the type of the values of an attribute or a metric.
type DataType string

// Types of values.
const (
	DataTypeInt    DataType = "INT"
	DataTypeFloat  DataType = "FLOAT"
	DataTypeString DataType = "STRING"
	DataTypeBool   DataType = "BOOL"
)

// MetricRange is the range of the valid values of a metric. If Min or Max is nil, that end is
// open.
type MetricRange struct {
	Min          *float64 `json:"min"`
	Max          *float64 `json:"max"`
	MinInclusive bool     `json:"min_inclusive"`
	MaxInclusive bool     `json:"max_inclusive"`
}

// AttributeState is the value of an attribute on a device.
type AttributeState struct {
	Value       json.RawMessage `json:"value"` // a number, a string or a bool
	Time        Timestamp       `json:"time"`
	CreatedDate Timestamp       `json:"created_date"`
	UpdatedDate Timestamp       `json:"updated_date"`
}

// UnmarshalJSON decodes an attribute whose key is in custom_metric, in metric_config or at
// the top level.
func (a *DeviceAttribute) UnmarshalJSON(data []byte) error {
	var read attributeObject
	if err := json.Unmarshal(data, &read); err != nil {
		return err
	}
	*a = DeviceAttribute{State: read.State}
	switch custom, config := read.CustomMetric, read.MetricConfig; {
	case config != nil && (custom == nil || custom.StringKey == ""):
		a.CustomMetric, a.form = *config, metricInMetricConfig
	case custom != nil:
		a.CustomMetric, a.form = *custom, metricInCustomMetric
	}
	if read.StringKey != nil {
		a.form |= keyAtTop
		if a.CustomMetric.StringKey == "" {
			a.CustomMetric.StringKey = *read.StringKey
		}
	}
	return nil
}

// MarshalJSON encodes a in the form in which it was decoded.
func (a DeviceAttribute) MarshalJSON() ([]byte, error) {
	written := attributeObject{State: a.State}
	if a.form&metricInCustomMetric != 0 || a.form == 0 {
		written.CustomMetric = &a.CustomMetric
	}
	if a.form&metricInMetricConfig != 0 {
		written.MetricConfig = &a.CustomMetric
	}
	if a.form&keyAtTop != 0 {
		written.StringKey = &a.CustomMetric.StringKey
	}
	return json.Marshal(written)
}

// AttributeValue is the new value of an attribute of a device.
type AttributeValue struct {
	StringKey string `json:"string_key"`
	Value     any    `json:"value"` // a bool, a number or a string
}

// DeviceAttributeListOptions filters attributes.
type DeviceAttributeListOptions struct {
	ListOptions
	Query string `url:"q,omitempty"` // pattern for the key; * matches any characters
}

// ListAttributes returns the attributes of a device.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/retrieve-device-attributes
func (s *DevicesService) ListAttributes(project ProjectRef, deviceSerial string, options DeviceAttributeListOptions, opts ...CallOption) *Pager[DeviceAttribute] {
	return list[DeviceAttribute](clientOf(s), operation.DeviceAttributesList, project.path(deviceSerial), options, opts)
}

// UpdateAttributes sets attributes of a device. With a [ProjectKey], use
// [DeviceConfigService.UpdateAttributes]. If the device does not exist, UpdateAttributes fails
// with [ErrNotFound].
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in Memfault's own end-to-end tests.
func (s *DevicesService) UpdateAttributes(ctx context.Context, project ProjectRef, deviceSerial string, values []AttributeValue, opts ...CallOption) error {
	return exec(ctx, clientOf(s), operation.DeviceAttributesUpdate, requestParams{path: project.path(deviceSerial), body: nonNil(values)}, opts)
}

// nonNil returns values, or an empty slice if values is nil: JSON encodes a nil slice as null.
func nonNil[T any](values []T) []T {
	if values == nil {
		return []T{}
	}
	return values
}

// DeviceAttributes contains the attributes of a device by their keys. A nil map is empty. The
// typed methods return ok false if the key does not exist, the device never set the attribute,
// or its value has another type.
type DeviceAttributes map[string]DeviceAttribute

// NewDeviceAttributes returns attributes by their keys. If a key occurs more than once, the
// attribute with a value takes precedence, and otherwise the last one.
func NewDeviceAttributes(attributes []DeviceAttribute) DeviceAttributes {
	byKey := make(DeviceAttributes, len(attributes))
	for _, attribute := range attributes {
		key := attribute.CustomMetric.StringKey
		if earlier, met := byKey[key]; !met || earlier.value() == nil || attribute.value() != nil {
			byKey[key] = attribute
		}
	}
	return byKey
}

// AttributeMap returns all attributes of a device by their keys. To select keys by a pattern,
// use [DevicesService.ListAttributes] and [NewDeviceAttributes].
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/retrieve-device-attributes
func (s *DevicesService) AttributeMap(ctx context.Context, project ProjectRef, deviceSerial string, opts ...CallOption) (DeviceAttributes, error) {
	attributes, err := s.ListAttributes(project, deviceSerial, DeviceAttributeListOptions{}, opts...).Collect(ctx)
	if err != nil {
		return nil, err
	}
	return NewDeviceAttributes(attributes), nil
}

// value returns the JSON of the attribute's value, or nil if it has none.
func (a DeviceAttribute) value() json.RawMessage {
	if a.State == nil {
		return nil
	}
	value := bytes.TrimSpace(a.State.Value)
	if len(value) == 0 || string(value) == "null" {
		return nil
	}
	return value
}

// Value returns the value of an attribute as JSON. A device that never set the attribute has
// no value. As in Memfault, case does not matter in key.
func (a DeviceAttributes) Value(key string) (value json.RawMessage, ok bool) {
	attribute, exact := a[key]
	if !exact {
		for other := range a {
			if strings.EqualFold(other, key) {
				attribute = a[other]
				break
			}
		}
	}
	value = attribute.value()
	return value, value != nil
}

// Bool returns the value of an attribute that is a bool.
func (a DeviceAttributes) Bool(key string) (value, ok bool) {
	return attributeAs[bool](a, key)
}

// String returns the value of an attribute that is a string.
func (a DeviceAttributes) String(key string) (value string, ok bool) {
	return attributeAs[string](a, key)
}

// Float returns the value of an attribute that is a number.
func (a DeviceAttributes) Float(key string) (value float64, ok bool) {
	return attributeAs[float64](a, key)
}

// Int returns the value of an attribute that is a whole number. Numbers such as 3.0 and 1e3
// are whole; a number that int64 cannot represent exactly is not returned.
func (a DeviceAttributes) Int(key string) (value int64, ok bool) {
	number, ok := attributeAs[json.Number](a, key)
	if raw, _ := a.Value(key); !ok || raw[0] == '"' { // json.Number accepts a string too
		return 0, false
	}
	if value, err := number.Int64(); err == nil {
		return value, true
	}
	float, err := strconv.ParseFloat(number.String(), 64)
	if err != nil || float != math.Trunc(float) || math.Abs(float) > 1<<53 {
		return 0, false
	}
	return int64(float), true
}

func attributeAs[T any](attributes DeviceAttributes, key string) (value T, ok bool) {
	raw, ok := attributes.Value(key)
	if !ok {
		return value, false
	}
	var decoded T
	if json.Unmarshal(raw, &decoded) != nil {
		return value, false
	}
	return decoded, true
}
