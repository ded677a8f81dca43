package memfault

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"strconv"
)

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
// no value.
func (a DeviceAttributes) Value(key string) (value json.RawMessage, ok bool) {
	value = a[key].value()
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
	if !ok || a[key].value()[0] == '"' { // json.Number accepts a string too
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
