#!/bin/sh
# Builds the program that all tasks run: build.sh SOURCE-FOLDER OUT-FOLDER. Needs the .NET SDK and no network.
set -eu
# The build is kept from the machine's own settings, and leaves no compiler behind that would outlive the task.
export DOTNET_CLI_HOME="$PWD" HOME="$PWD" NUGET_PACKAGES="$PWD/.nuget" DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
export DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1 DOTNET_GENERATE_ASPNET_CERTIFICATE=false MSBUILDDISABLENODEREUSE=1
cp -R "$1" build
dotnet build build/mergesort.csproj -c Release -o "$2" -v quiet -nologo -clp:NoSummary --disable-build-servers \
  -p:UseSharedCompilation=false -p:ImportDirectoryBuildProps=false -p:ImportDirectoryBuildTargets=false \
  -p:ImportDirectoryPackagesProps=false
