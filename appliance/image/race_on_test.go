//go:build race

package image

const raced = true
