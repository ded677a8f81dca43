package memfault

// What tests of the package's users need of its inside.
var (
	NewTransport  = newTransport
	ModuleVersion = moduleVersion
	UnmarshalNew  = unmarshalNew
)

// ModulePath is the path with which the package looks for its version.
const ModulePath = modulePath
