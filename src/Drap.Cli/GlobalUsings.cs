global using Drap.Api;
