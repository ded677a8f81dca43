package memfault

// What tests of the package's users need of its inside.
var NewTransport = newTransport
