package fakecloud

import (
	"fmt"
	"net/http"
	"slices"
)

// defaultHardware is the hardware version of a new project.
const defaultHardware = "evt-1"

type hardwareVersion struct {
	name, primaryType string
	types             []string // software types, the primary one first
}

// HardwareVersion describes a hardware version.
type HardwareVersion struct {
	Name                string
	PrimarySoftwareType string // main by default; created if unknown
}

// AddHardwareVersions adds hardware versions to the default project. A hardware version that
// exists keeps its primary software type.
func (c *Cloud) AddHardwareVersions(versions ...HardwareVersion) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range versions {
		if !c.accepts("a hardware version", required("name", v.Name)) {
			continue
		}
		c.ensureHardware(c.seeded, v.Name, v.PrimarySoftwareType)
	}
}

func (p *project) hardwareVersion(name string) *hardwareVersion {
	at := slices.IndexFunc(p.hardwareVersions, func(h *hardwareVersion) bool { return h.name == name })
	if at < 0 {
		return nil
	}
	return p.hardwareVersions[at]
}

// ensureHardware returns a hardware version. It creates the version with the given primary
// software type, and the type, if they do not exist.
func (c *Cloud) ensureHardware(p *project, name, typeName string) *hardwareVersion {
	if typeName == "" {
		typeName = primarySoftwareType
	}
	c.ensureSoftwareType(p, typeName)
	found := p.hardwareVersion(name)
	if found == nil {
		found = &hardwareVersion{name: name, primaryType: typeName}
		p.hardwareVersions = append(p.hardwareVersions, found)
	}
	if !slices.Contains(found.types, typeName) {
		found.types = append(found.types, typeName)
	}
	return found
}

func (c *Cloud) createHardwareVersion(r *request) reply {
	var body struct {
		Name                string `json:"name"`
		PrimarySoftwareType string `json:"primary_software_type"`
	}
	if refused, ok := r.decode(&body); !ok {
		return refused
	}
	if body.Name == "" || body.PrimarySoftwareType == "" {
		return invalid("name", "Missing data for required field.")
	}
	if !versionForm.MatchString(body.Name) {
		return invalid("name", wrongForm)
	}
	if r.project.softwareType(body.PrimarySoftwareType) == nil {
		return unknownSoftwareType(body.PrimarySoftwareType)
	}
	if r.project.hardwareVersion(body.Name) != nil {
		return fail(http.StatusConflict, fmt.Sprintf("A hardware version named `%s` already exists", body.Name))
	}
	return data(r.project.hardwareVersionView(c.ensureHardware(r.project, body.Name, body.PrimarySoftwareType)))
}

func (p *project) hardwareVersionView(h *hardwareVersion) object {
	types := []typeRef{}
	for _, name := range h.types {
		types = append(types, p.softwareType(name).ref())
	}
	return object{
		"name": h.name, "count_devices": p.fleet.counts[countedHardware(h.name)],
		"primary_software_type": p.softwareType(h.primaryType).view(), "software_types": types,
	}
}
