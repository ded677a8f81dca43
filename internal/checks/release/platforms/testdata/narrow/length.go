//go:build toolarge

package narrow

var length int = Limit
