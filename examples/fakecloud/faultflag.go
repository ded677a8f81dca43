package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
	"github.com/memfault-go/memfault/memfaulttest"
)

// faultFlag is the value of the flag -fail.
type faultFlag []memfaulttest.Fault

// String implements flag.Value.
func (f *faultFlag) String() string { return "" }

// Set implements flag.Value.
func (f *faultFlag) Set(text string) error {
	fault, err := parseFault(text)
	if err != nil {
		return err
	}
	*f = append(*f, fault)
	return nil
}

// parseFault parses OPERATION[@DEVICE]=FAULT[:TIMES].
func parseFault(text string) (memfaulttest.Fault, error) {
	var fault memfaulttest.Fault
	which, what, ok := strings.Cut(text, "=")
	if !ok {
		return fault, errors.New("must have the form OPERATION=FAULT, such as devices.list=503:3")
	}
	fault.Operation, fault.Device, _ = strings.Cut(which, "@")
	if fault.Operation == "*" {
		fault.Operation = ""
	} else if !isOperation(fault.Operation) {
		return fault, fmt.Errorf("unknown operation %q; the page at / lists all", fault.Operation)
	}
	what, times, limited := strings.Cut(what, ":")
	if limited {
		n, err := strconv.Atoi(times)
		if err != nil || n < 1 {
			return fault, fmt.Errorf("invalid number of times %q", times)
		}
		fault.Times = n
	}
	return fault, setFault(&fault, what)
}

// setFault sets what happens to the requests.
func setFault(fault *memfaulttest.Fault, what string) error {
	switch what {
	case "drop":
		fault.Drop = true
		return nil
	case "dropresponse":
		fault.DropResponse = true
		return nil
	case "cut":
		fault.CutBodyAfter = 10
		return nil
	}
	if delay, err := time.ParseDuration(what); err == nil && delay > 0 {
		fault.Delay = delay
		return nil
	}
	status, retryAfter, _ := strings.Cut(what, "/")
	n, err := strconv.Atoi(status)
	if err != nil || n < 400 || n > 599 {
		return fmt.Errorf("invalid fault %q: neither a status from 400 to 599 nor a duration, drop, dropresponse or cut", what)
	}
	fault.Status, fault.RetryAfter = n, retryAfter
	return nil
}

// isOperation reports whether an operation has the name, for example devices.list.
func isOperation(name string) bool {
	if name == "artifacts.download" { // not an operation of the API, but served
		return true
	}
	for _, op := range operation.All() {
		if op.Name == name {
			return true
		}
	}
	return false
}
