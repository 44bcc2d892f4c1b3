// Package containers tests how Flyball is deployed: the files of deploy/image, deploy/compose, deploy/systemd and
// deploy/package, and a container of the image.
//
// The tests of files run everywhere. The container runs if FLYBALL_TEST_IMAGE names an image that `make image` built; it is
// the tier "container", and it is no part of CI, which builds no images.
package containers
