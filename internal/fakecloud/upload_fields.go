package fakecloud

import "time"

// fieldCheck reports whether the value of a field is valid.
type fieldCheck func(value any) bool

func isText(value any) bool {
	text, ok := value.(string)
	return ok && text != ""
}

func isAnyText(value any) bool { _, ok := value.(string); return ok }

func isBool(value any) bool { _, ok := value.(bool); return ok }

func isWhole(value any) bool {
	n, ok := value.(float64)
	return ok && n >= 0 && n == float64(int64(n))
}

func isTime(value any) bool {
	text, _ := value.(string)
	_, err := time.Parse(time.RFC3339, text)
	return err == nil
}

// isList reports whether value is a list whose items are all valid.
func isList(value any, item fieldCheck) bool {
	items, ok := value.([]any)
	for _, i := range items {
		ok = ok && item(i)
	}
	return ok
}

func isTexts(value any) bool { return isList(value, isText) }

// isObject reports whether value is an object with all required fields, any of the optional
// ones, and no others.
func isObject(value any, required, optional map[string]fieldCheck) bool {
	fields, ok := value.(map[string]any)
	return ok && badFieldOf(fields, required, optional) == ""
}

// badFieldOf returns the name of a missing, unknown or invalid field, or "".
func badFieldOf(fields map[string]any, required, optional map[string]fieldCheck) string {
	for name, check := range required {
		if !check(fields[name]) {
			return name
		}
	}
	for name, value := range fields {
		check := optional[name]
		if required[name] == nil && (check == nil || !check(value)) {
			return name
		}
	}
	return ""
}

func isDevice(value any) bool {
	return isObject(value, map[string]fieldCheck{"device_serial": isText, "hardware_version": isText, "software_version": isText},
		map[string]fieldCheck{"software_type": isText})
}

func isVersion(value any) bool {
	return isObject(value, map[string]fieldCheck{"version": isText, "software_type": isText}, map[string]fieldCheck{"revision": isText})
}

func isVersionOrDelta(value any) bool {
	isPair := func(v any) bool { pair, _ := v.([]any); return len(pair) == 2 && isTexts(v) }
	return isVersion(value) ||
		isObject(value, map[string]fieldCheck{"version": isPair, "software_type": isText}, map[string]fieldCheck{"revision": isText})
}

func isAttribute(value any) bool {
	return isObject(value, map[string]fieldCheck{"string_key": isText, "value": func(any) bool { return true }}, nil)
}

func isTextMap(value any) bool {
	fields, ok := value.(map[string]any)
	for _, field := range fields {
		ok = ok && isAnyText(field)
	}
	return ok
}

// badField returns the name of a field that makes a commit of this kind invalid, or "".
func badField(kind string, body map[string]any) string {
	required, optional := map[string]fieldCheck{}, map[string]fieldCheck{}
	switch kind {
	case "symbols":
		optional["software_version"] = isVersion
	case "ota_payload":
		required = map[string]fieldCheck{
			"software_version": isVersionOrDelta, "hardware_version": isText, "must_pass_through": isBool, "notes": isAnyText,
		}
		optional["extra_info"] = isTextMap
	case "sbom":
		required = map[string]fieldCheck{"software_version": isText, "software_type": isText}
	case "coredump":
		optional["device_serial"] = isText
	case "elf_coredump":
		required["device"] = isDevice
	case "mar":
		required = map[string]fieldCheck{"device_serial": isText, "hardware_version": isText, "software_version": isText}
		optional["software_type"] = isText
	case "custom_data_recording":
		required = map[string]fieldCheck{
			"duration_secs": isWhole, "mimetypes": isTexts, "device": isDevice,
		}
		// UNCERTAIN(recording-empty-reason): whether an empty reason is accepted; the fake cloud
		// rejects it.
		optional = map[string]fieldCheck{"start_time": isTime, "reason": isText}
	case "xed":
		required = map[string]fieldCheck{
			"device_serial": isText, "hardware_version": isText,
			"trace_attributes": func(v any) bool { return isList(v, isAttribute) },
		}
	}
	required["file"] = func(v any) bool {
		return isObject(v, map[string]fieldCheck{"token": isText}, map[string]fieldCheck{"md5": isText, "name": isText})
	}
	return badFieldOf(body, required, optional)
}
