package memfault

import "github.com/memfault-go/memfault/internal/plainjson"

// The methods in this file decode the usual form of an object without encoding/json, because
// each call of encoding/json costs several allocations and a device contains three of these
// objects. If the text has another form, the methods return false and change nothing.

func (r *CohortRef) readPlain(data []byte) bool {
	read, o := *r, plainjson.NewObject(data)
	for o.Next() {
		switch string(o.Name()) {
		case "id":
			plainjson.Integer(&o, &read.ID)
		case "name":
			o.String(&read.Name)
		case "slug":
			o.String(&read.Slug)
		case "count_devices":
			plainjson.Integer(&o, &read.CountDevices)
		default:
			o.Skip("id", "name", "slug", "count_devices")
		}
	}
	if !o.Done() {
		return false
	}
	*r, r.asText = read, false
	return true
}

func (r *HardwareVersionRef) readPlain(data []byte) bool {
	read, o := *r, plainjson.NewObject(data)
	for o.Next() {
		switch string(o.Name()) {
		case "name":
			o.String(&read.Name)
		case "primary_software_type":
			if o.IsNull() {
				read.PrimarySoftwareType = nil
				continue
			}
			software := new(SoftwareTypeRef)
			if read.PrimarySoftwareType != nil || !software.readPlain(o.Value()) {
				return false
			}
			read.PrimarySoftwareType = software
		default:
			o.Skip("name", "primary_software_type")
		}
	}
	if !o.Done() {
		return false
	}
	*r, r.asText = read, false
	return true
}

func (r *SoftwareTypeRef) readPlain(data []byte) bool {
	read, o := *r, plainjson.NewObject(data)
	for o.Next() {
		switch string(o.Name()) {
		case "id":
			plainjson.Integer(&o, &read.ID)
		case "name":
			o.String(&read.Name)
		default:
			o.Skip("id", "name")
		}
	}
	if !o.Done() {
		return false
	}
	*r = read
	return true
}

func (f *FleetSamplingConfiguration) readPlain(data []byte) bool {
	read, o := *f, plainjson.NewObject(data)
	for o.Next() {
		if string(o.Name()) == "id" {
			plainjson.Integer(&o, &read.ID)
		} else {
			o.Skip("id")
		}
	}
	if !o.Done() {
		return false
	}
	*f, f.asNumber = read, false
	return true
}
