package coverage

import (
	"fmt"
	"strings"

	"github.com/memfault-go/memfault/internal/operation"
)

// constructors contains the functions of the client that create a credential, most useful
// first.
var constructors = []struct {
	kind operation.Credential
	name string
}{
	{operation.OrganizationToken, "OrganizationToken"},
	{operation.APIKey, "BasicAPIKey"},
	{operation.Password, "BasicPassword"},
	{operation.ProjectKey, "ProjectKey"},
}

// Constructors returns the functions of the client that create the credentials.
func Constructors(credentials operation.Credential) []string {
	var names []string
	for _, c := range constructors {
		if credentials.Has(c.kind) {
			names = append(names, c.name)
		}
	}
	return names
}

// Credentials returns the credentials with which a method can do all of its work: those that
// each of its operations accepts. An upload has two operations for the same step, one for a
// project key and one for other credentials, and sends one of them.
func (m Method) Credentials() operation.Credential {
	steps := map[string]operation.Credential{}
	for _, op := range m.Operations {
		if op.Host == operation.Presigned {
			continue
		}
		steps[step(op.Name)] |= op.Credentials
	}
	if len(steps) == 0 {
		return operation.NoCredential
	}
	accepted := operation.Console | operation.ProjectKey
	for _, credentials := range steps {
		accepted &= credentials
	}
	return accepted
}

// step returns the same name for the operations of an upload that are alternatives.
func step(name string) string {
	for _, prefix := range []string{"upload.prepare_", "upload.commit_"} {
		if strings.HasPrefix(name, prefix) {
			return prefix
		}
	}
	return name
}

// CredentialsLine returns the line of a method's comment that lists its credentials.
func (m Method) CredentialsLine() string {
	names := Constructors(m.Credentials())
	if len(names) == 0 {
		return "Credentials: none."
	}
	for i, name := range names {
		names[i] = "[" + name + "]"
	}
	last := len(names) - 1
	if last == 0 {
		return fmt.Sprintf("Credentials: %s.", names[0])
	}
	return fmt.Sprintf("Credentials: %s or %s.", strings.Join(names[:last], ", "), names[last])
}
