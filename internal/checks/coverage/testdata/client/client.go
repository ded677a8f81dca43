// Package client imitates the source of the client, with one method for each way in which a
// method can refer to an operation.
package client

import "github.com/memfault-go/memfault/internal/operation"

type Client struct {
	Devices *DevicesService
	Cohorts *CohortsService
	Uploads *UploadsService
}

type DevicesService struct{ client *Client }

// Get names its operation directly.
func (s *DevicesService) Get() { exec(operation.DevicesRetrieve) }

// Update names its operation in the argument of a generic function.
func (s *DevicesService) Update() { _ = fetch[int](operation.DevicesUpdate) }

// List returns a function that names its operation. It looks it up among others.
func (s *DevicesService) List() func() {
	return func() {
		exec(operation.DevicesList)
		_ = sortKeys[operation.DevicesList]
	}
}

// sortKeys has operations as keys, which nothing sends.
var sortKeys = map[*operation.Operation]string{operation.DevicesList: "last_seen", operation.DevicesDelete: ""}

// Unrelated sends no operation.
func (s *DevicesService) Unrelated() {}

type CohortsService struct{ client *Client }

// Update has the name of a method of another service.
func (s *CohortsService) Update() { exec(operation.CohortsUpdate) }

// MoveDevices calls a method of another service.
func (s *CohortsService) MoveDevices() { clientOf(s).Devices.Update() }

// Ensure sends its operations in a helper and in a function value.
func (s *CohortsService) Ensure() {
	s.find()
	each(s.create)
}

func (s *CohortsService) find()   { exec(operation.CohortsList) }
func (s *CohortsService) create() { exec(operation.CohortsCreate) }

type UploadsService struct{ client *Client }

type kind struct{ flat, project *operation.Operation }

var coredump = kind{operation.UploadCommitCoredump, operation.UploadCommitCoredumpProject}

// Coredump names its operations in a variable, and accepts every credential.
func (s *UploadsService) Coredump() { s.send(coredump) }

// SymbolsOptions names the operation of Symbols in a method.
type SymbolsOptions struct{}

func (o SymbolsOptions) upload() kind {
	return kind{operation.UploadCommitSymbols, operation.UploadCommitSymbols}
}

// Symbols accepts no project key.
func (s *UploadsService) Symbols(options SymbolsOptions) { s.send(options.upload()) }

func (s *UploadsService) send(k kind) {
	exec(operation.UploadPrepareProjectKey)
	exec(operation.UploadPrepareBasicAuth)
	exec(operation.UploadPutFile)
	exec(k.flat)
}

type other struct{}

// Delete is not a method of a service.
func (other) Delete() { exec(operation.DevicesDelete) }

func exec(*operation.Operation) {}

func each(do func()) { do() }

func fetch[T any](*operation.Operation) (zero T) { return zero }

func clientOf[S ~struct{ client *Client }](service *S) *Client {
	return (struct{ client *Client })(*service).client
}
