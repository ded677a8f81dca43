package memfault

import (
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/memfault-go/memfault/internal/operation"
)

// Authenticator adds a credential to a request, for each attempt anew. The
// client calls it only for requests to its own hosts.
//
// BasicPassword, BasicAPIKey, OrganizationToken and ProjectKey return the four
// that Memfault knows. An operation that does not take one of these fails with
// ErrWrongCredential before anything is sent; an Authenticator of your own is let
// through.
type Authenticator interface {
	Authenticate(req *http.Request) error
}

// BasicPassword authenticates as a user with email and password, by HTTP Basic.
// Memfault's guides advise against it for programs: prefer OrganizationToken.
func BasicPassword(email, password string) Authenticator {
	return newCredential(operation.Password, email, password)
}

// BasicAPIKey authenticates as a user with email and user API key, by HTTP Basic.
// The key reaches all of the user's organizations, except those that enforce
// single sign-on.
func BasicAPIKey(email, key string) Authenticator {
	return newCredential(operation.APIKey, email, key)
}

// OrganizationToken authenticates as an organization with one of its auth tokens
// (oat_…), sent as a Bearer token. It reaches the organization's projects with
// the rights of a project manager, unless the token was restricted.
func OrganizationToken(token string) Authenticator {
	return newCredential(operation.OrganizationToken, "", token)
}

// ProjectKey authenticates a device, or a gateway that speaks for devices, with
// the header Memfault-Project-Key. Only operations that push data in, and the few
// made for devices, take it.
func ProjectKey(key string) Authenticator {
	return newCredential(operation.ProjectKey, "", key)
}

const projectKeyHeader = "Memfault-Project-Key"

// credential is one of the four built-in Authenticators. What it holds is behind
// two pointers: fmt ignores methods on the unexported fields of a struct, and follows
// one pointer there when the verb is a wrong one.
type credential struct {
	kind   operation.Credential
	hidden *hidden
}

type hidden struct{ *secret }

type secret struct{ user, value string }

func newCredential(kind operation.Credential, user, value string) credential {
	return credential{kind, &hidden{&secret{user, value}}}
}

func (c credential) Authenticate(req *http.Request) error {
	s := c.hidden
	switch c.kind {
	case operation.OrganizationToken:
		req.Header.Set("Authorization", "Bearer "+s.value)
	case operation.ProjectKey:
		req.Header.Set(projectKeyHeader, s.value)
	default:
		req.SetBasicAuth(s.user, s.value)
	}
	return nil
}

func (c credential) String() string   { return "memfault credential (" + c.kind.String() + ")" }
func (c credential) GoString() string { return c.String() }

// validate refuses what cannot be sent. It shows nothing of the secret.
func (c credential) validate() error {
	fail := func(what string) error { return invalid("credential %s: %s", c.kind, what) }
	s, basic := c.hidden, operation.Basic.Has(c.kind)
	switch {
	case s.value == "":
		return fail("the secret is empty")
	case basic && s.user == "":
		return fail("the email is empty")
	case strings.ContainsFunc(s.user+s.value, isControl):
		return fail("it holds a line break or another control character")
	case strings.Contains(s.user, ":"):
		return fail("the email holds a colon")
	case !basic && strings.ContainsFunc(s.value, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fail("it holds a character that a header cannot carry")
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// validateAuth refuses a missing Authenticator and a built-in one that cannot be
// sent.
func validateAuth(auth Authenticator) error {
	switch auth := auth.(type) {
	case nil:
		return invalid("the authenticator is nil")
	case credential:
		return auth.validate()
	default:
		return nil
	}
}

// authorize refuses a built-in credential that an operation does not take.
func authorize(auth Authenticator, op *operation.Operation) error {
	held, ok := auth.(credential)
	if !ok || op.Credentials == operation.NoCredential || op.Credentials.Has(held.kind) {
		return nil
	}
	return fmt.Errorf("memfault: %s takes %s, the client holds %s: %w", op.Name, op.Credentials, held.kind, ErrWrongCredential)
}

// AuthFromEnv returns the Authenticator that the variables of Memfault's own
// command-line tool name: MEMFAULT_ORG_TOKEN, else MEMFAULT_EMAIL with
// MEMFAULT_PASSWORD or MEMFAULT_API_KEY, else MEMFAULT_PROJECT_KEY. An empty
// variable counts as not set.
func AuthFromEnv() (Authenticator, error) {
	var auth Authenticator
	email := os.Getenv("MEMFAULT_EMAIL")
	switch {
	case os.Getenv("MEMFAULT_ORG_TOKEN") != "":
		auth = OrganizationToken(os.Getenv("MEMFAULT_ORG_TOKEN"))
	case email != "" && os.Getenv("MEMFAULT_PASSWORD") != "":
		auth = BasicPassword(email, os.Getenv("MEMFAULT_PASSWORD"))
	case email != "" && os.Getenv("MEMFAULT_API_KEY") != "":
		auth = BasicAPIKey(email, os.Getenv("MEMFAULT_API_KEY"))
	case os.Getenv("MEMFAULT_PROJECT_KEY") != "":
		auth = ProjectKey(os.Getenv("MEMFAULT_PROJECT_KEY"))
	default:
		return nil, invalid("no credential in the environment: set MEMFAULT_ORG_TOKEN, " +
			"or MEMFAULT_EMAIL with MEMFAULT_PASSWORD or MEMFAULT_API_KEY, or MEMFAULT_PROJECT_KEY")
	}
	if err := validateAuth(auth); err != nil {
		return nil, fmt.Errorf("%w (read from the environment)", err)
	}
	return auth, nil
}

// ProjectFromEnv returns the project that MEMFAULT_ORG and MEMFAULT_PROJECT name
// by their slugs.
func ProjectFromEnv() (ProjectRef, error) {
	project := ProjectRef{Organization: os.Getenv("MEMFAULT_ORG"), Project: os.Getenv("MEMFAULT_PROJECT")}
	if project.Organization == "" || project.Project == "" {
		return ProjectRef{}, invalid("no project in the environment: set MEMFAULT_ORG and MEMFAULT_PROJECT to its slugs")
	}
	return project, nil
}
