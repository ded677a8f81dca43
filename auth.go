package memfault

import (
	"encoding/base64"
	"net/http"
	"os"
	"strings"

	"github.com/memfault-go/memfault/internal/operation"
)

// Authenticator adds a credential to each attempt of a request. The client calls it only for
// requests to its own hosts, concurrently for concurrent calls.
//
// [BasicPassword], [BasicAPIKey], [OrganizationToken] and [ProjectKey] return the four kinds of
// credentials that Memfault accepts; [OrganizationTokenFunc] and [ProjectKeyFunc] return those
// that can change while the program runs. The line Credentials in the comment of a method lists
// the kinds that the method accepts. With another kind, the method fails with
// [ErrWrongCredential] before anything is sent.
//
// A custom Authenticator is used for every operation. If it returns an error, the call fails with
// that error and is not retried.
type Authenticator interface {
	Authenticate(req *http.Request) error
}

// BasicPassword authenticates as a user with email and password, by HTTP Basic. Memfault's
// guides advise against it for programs. Prefer [OrganizationToken].
func BasicPassword(email, password string) Authenticator {
	return newCredential(operation.Password, email, password)
}

// BasicAPIKey authenticates as a user with email and user API key, by HTTP Basic. The key
// gives access to all organizations of the user, except those that enforce single sign-on.
func BasicAPIKey(email, key string) Authenticator {
	return newCredential(operation.APIKey, email, key)
}

// OrganizationToken authenticates as an organization with one of its auth tokens (oat_…),
// sent as a Bearer token. It gives access to the organization's projects with the rights of
// a project manager, unless the token is restricted.
func OrganizationToken(token string) Authenticator {
	return newCredential(operation.OrganizationToken, "", token)
}

// ProjectKey authenticates a device, or a gateway on behalf of devices, with the
// Memfault-Project-Key header. Only operations that upload data, and the few operations
// meant for devices, accept it.
func ProjectKey(key string) Authenticator {
	return newCredential(operation.ProjectKey, "", key)
}

const projectKeyHeader = "Memfault-Project-Key"

// credential is one of the four built-in Authenticators. The secret is behind two pointers:
// fmt ignores the methods of unexported fields, and follows one pointer there if the verb
// does not fit.
type credential struct {
	kind   operation.Credential
	hidden *hidden
}

type hidden struct{ *secret }

type secret struct {
	user, value  string
	header, text string // what Authenticate sets
}

func newCredential(kind operation.Credential, user, value string) credential {
	s := &secret{user: user, value: value, header: "Authorization"}
	switch kind {
	case operation.OrganizationToken:
		s.text = "Bearer " + value
	case operation.ProjectKey:
		s.header, s.text = projectKeyHeader, value
	default:
		s.text = "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+value))
	}
	return credential{kind, &hidden{s}}
}

func (c credential) Authenticate(req *http.Request) error {
	req.Header.Set(c.hidden.header, c.hidden.text)
	return nil
}

func (c credential) String() string   { return "memfault credential (" + c.kind.String() + ")" }
func (c credential) GoString() string { return c.String() }

// validate returns an error for a credential that cannot be sent, without its secret.
func (c credential) validate() error {
	fail := func(what string) error { return invalid("credential %s: %s", c.kind, what) }
	s, basic := c.hidden, operation.Basic.Has(c.kind)
	switch {
	case s.value == "":
		return fail("the secret must not be empty")
	case basic && s.user == "":
		return fail("the email must not be empty")
	case strings.ContainsFunc(s.user+s.value, isControl):
		return fail("it must not contain control characters")
	case strings.Contains(s.user, ":"):
		return fail("the email must not contain a colon")
	case c.kind != operation.Password && isWrapped(s.value):
		return fail("the secret must not begin or end with white space, or be in quotes")
	case basic && isWrapped(s.user):
		return fail("the email must not begin or end with white space, or be in quotes")
	case !basic && strings.ContainsFunc(s.value, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fail("it contains a character that a header cannot contain")
	}
	return nil
}

// isWrapped reports whether a text begins or ends with white space, or is in quotes, as one that
// was copied with its surroundings. Memfault would reject it without a reason.
func isWrapped(text string) bool {
	if strings.TrimSpace(text) != text {
		return true
	}
	return len(text) > 1 && text[0] == text[len(text)-1] && strings.Contains("\"'`", text[:1])
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// validateAuth returns an error for a missing Authenticator, and for a built-in credential
// that cannot be sent.
func validateAuth(auth Authenticator) error {
	if held, ok := auth.(interface{ validate() error }); ok {
		return held.validate()
	}
	if isNil(auth) {
		return invalid("the Authenticator is nil")
	}
	return nil
}

// authorize returns an error for a built-in credential that an operation does not accept.
func authorize(auth Authenticator, op *operation.Operation) error {
	kind, ok := kindOf(auth)
	if !ok || op.Credentials == operation.NoCredential || op.Credentials.Has(kind) {
		return nil
	}
	return newKindError(ErrWrongCredential, "%s accepts %s, but the client uses %s", op.Name, op.Credentials, kind)
}

// kindOf returns the kind of a built-in credential.
func kindOf(auth Authenticator) (kind operation.Credential, ok bool) {
	switch held := auth.(type) {
	case credential:
		return held.kind, true
	case rotating:
		return held.kind, true
	default:
		return 0, false
	}
}

// AuthFromEnv returns the [Authenticator] of the credential in the environment, in the
// variables that Memfault's own command-line tool reads: MEMFAULT_ORG_TOKEN; otherwise
// MEMFAULT_EMAIL with MEMFAULT_PASSWORD or MEMFAULT_API_KEY; otherwise MEMFAULT_PROJECT_KEY.
// An empty variable counts as not set. If there is no credential, AuthFromEnv fails with
// [ErrInvalidArgument].
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
		return nil, invalid("environment: %w", err)
	}
	return auth, nil
}

// ProjectFromEnv returns the project whose slugs are in the variables MEMFAULT_ORG and
// MEMFAULT_PROJECT. If one is not set, begins or ends with white space, or is in quotes, it fails
// with [ErrInvalidArgument].
func ProjectFromEnv() (ProjectRef, error) {
	project := ProjectRef{Organization: os.Getenv("MEMFAULT_ORG"), Project: os.Getenv("MEMFAULT_PROJECT")}
	if project.Organization == "" || project.Project == "" {
		return ProjectRef{}, invalid("no project in the environment: set MEMFAULT_ORG and MEMFAULT_PROJECT to its slugs")
	}
	if isWrapped(project.Organization) || isWrapped(project.Project) {
		return ProjectRef{}, invalid("environment: MEMFAULT_ORG and MEMFAULT_PROJECT must not begin or end with white space, or be in quotes")
	}
	return project, nil
}

// NewClientFromEnv returns a client with the credential of [AuthFromEnv], and the project of
// [ProjectFromEnv]. If the variable MEMFAULT_BASE_URL is set, the requests of all hosts are sent
// there, as with [WithBaseURL]: an https address, or one of loopback such as that of a fake
// Memfault. The options apply after the environment.
//
// With the project key of MEMFAULT_PROJECT_KEY, the project can be missing, because such a
// credential identifies its project; it is then the zero value.
func NewClientFromEnv(opts ...Option) (*Client, ProjectRef, error) {
	auth, err := AuthFromEnv()
	if err != nil {
		return nil, ProjectRef{}, err
	}
	project, err := ProjectFromEnv()
	if kind, _ := kindOf(auth); kind == operation.ProjectKey && os.Getenv("MEMFAULT_ORG")+os.Getenv("MEMFAULT_PROJECT") == "" {
		err = nil
	}
	if err != nil {
		return nil, ProjectRef{}, err
	}
	if address := os.Getenv("MEMFAULT_BASE_URL"); address != "" {
		opts = append([]Option{WithBaseURL(address)}, opts...)
	}
	client, err := NewClient(auth, opts...)
	if err != nil {
		return nil, ProjectRef{}, err
	}
	return client, project, nil
}
